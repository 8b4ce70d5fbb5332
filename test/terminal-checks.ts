import assert from 'node:assert/strict';
import type { Terminal } from './terminal.ts';

/** The last that the screen shows is a prompt of root's. */
const PROMPT = /# \s*$/;

/** What anybody expects from a shell on a terminal: size, colours, keys, full-screen programs. */
export async function checkTerminal(terminal: Terminal): Promise<void> {
  await terminal.resize(100, 30);
  await terminal.enter('echo "size: $(stty size)"');
  await terminal.expect(/^size: 30 100$/m);
  await terminal.resize(90, 26);
  // The new size comes by a message of its own, so the command may be faster.
  await terminal.enter(
    'until [ "$(stty size)" = "26 90" ]; do sleep 0.1; done; echo "resized: $(stty size)"',
  );
  await terminal.expect(/^resized: 26 90$/m);

  await terminal.enter("printf '\\033[31m%s\\033[0m\\n' coloured");
  await terminal.expect(/^coloured$/m);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colour red is what is looked for
  assert.match(await terminal.screen({ escapes: true }), /\x1b\[31mcoloured/);

  // Of a program of its own: a ctrl-c that comes while the shell still starts one ends none.
  await terminal.enter(`sh -c 'echo "sleep: $((1+1))"; exec sleep 1000'`);
  await terminal.expect(/^sleep: 2$/m);
  await terminal.press('C-c');
  await terminal.enter('echo "ctrl-c: $?"');
  await terminal.expect(/^ctrl-c: 130$/m);

  await terminal.enter('clear; vi /root/written-in-vi');
  await terminal.expect(/written-in-vi"? \[New|"\/root\/written-in-vi"/);
  await terminal.type('ihello from vi');
  await terminal.press('Escape');
  await terminal.type(':wq');
  await terminal.press('Enter');
  // Programs like these throw away what is typed until they have ended.
  await terminal.expect(PROMPT);
  await terminal.enter('clear; echo "vi: $(cat /root/written-in-vi)"');
  await terminal.expect(/^vi: hello from vi$/m);

  await terminal.enter('top');
  await terminal.expect(/load average[\s\S]*PID USER/);
  await terminal.type('q');
  await terminal.expect(PROMPT);
}
