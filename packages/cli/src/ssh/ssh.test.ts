import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { until } from '../../../../test/until.ts';
import { renderStanza, shellWord } from './config.ts';
import { nodeOfHost, type SshFiles } from './files.ts';
import { mapPool } from './pool.ts';
import { shellLine, watchedLine } from './remote-line.ts';
import { eachLine, overallStatus } from './run.ts';

const files: SshFiles = {
  privateKey: '/home/a b/100%/id',
  publicKey: '/home/a b/100%/id.pub',
  config: '/c',
  knownHosts: '/k',
  nodes: '/n',
  devices: '/d',
};

test('shellWord gives any text as one word', () => {
  for (const text of ['', 'plain', "it's", '$HOME `x` "y"', 'a\nb', '~', '*', '-n', '!']) {
    const { stdout } = spawnSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' });
    assert.equal(stdout, text);
  }
});

test('the stanza quotes paths for ssh, and those in commands for the shell too', (t) => {
  const text = renderStanza(['n1'], files, { launcher: "/opt/a b/100%/it's/walt", environment: [] });
  const folder = mkdtempSync(join(tmpdir(), 'walt-cli-stanza-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'config'), text);
  const args = ['-G', '-F', join(folder, 'config'), 'n1'];
  const { stdout, stderr } = spawnSync('ssh', args, { encoding: 'utf8' });
  // ssh has run the command of Match, which does not exist, through the shell.
  assert.match(stderr, /\/opt\/a b\/100%\/it's\/walt: .*(not found|No such file)/);
  assert.match(stdout, /^identityfile \/home\/a b\/100%%\/id$/m);
  assert.match(stdout, /^proxycommand '\/opt\/a b\/100%%\/it'\\''s\/walt' ssh-proxy '%n'$/m);
  assert.match(stdout, /^stricthostkeychecking (yes|true)$/m);
});

test('a path that ssh cannot use is refused', () => {
  assert.throws(
    () => renderStanza([], files, { launcher: '/a"b/walt', environment: [] }),
    /contains a double quote/,
  );
});

test('nodeOfHost', () => {
  assert.equal(nodeOfHost('vnode1'), 'vnode1');
  assert.equal(nodeOfHost('vnode1.walt'), 'vnode1');
  assert.equal(nodeOfHost('a.walt.org'), 'a.walt.org');
});

describe('the line for the shell of the node', () => {
  test('one word is a line, several are words', () => {
    assert.equal(shellLine(['ls | wc']), 'ls | wc');
    assert.equal(shellLine(['ls', 'a b']), "ls 'a b'");
  });

  const cases: [words: string[], status: number, stdout: string][] = [
    [['echo a; exit 3'], 3, 'a\n'],
    [['printf', '%s', "x'y"], 0, "x'y"],
    [['kill -9 $$'], 137, ''],
    [['cat; echo end'], 0, 'end\n'],
  ];
  for (const [words, status, stdout] of cases) {
    test(`watched: ${words.join(' ')}`, async () => {
      const result = await runWatched(words);
      assert.deepEqual(result, { status, stdout });
    });
  }

  test('the end of input ends the command and its children', async () => {
    const child = spawn('sh', ['-c', watchedLine(['sleep 1000 & echo $!; sleep 1000'])]);
    const [pid] = await firstLine(child.stdout);
    child.stdin.end();
    const status = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(status, 143);
    // Its files are closed, which ended the output, before it is dead.
    await until('the end of its child', async () => !isAlive(Number(pid)));
  });
});

test('mapPool keeps the order and the limit', async () => {
  let running = 0;
  let most = 0;
  const results = await mapPool([5, 1, 3, 2], 2, async (turns) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    running -= 1;
    return turns * 10;
  });
  assert.deepEqual(results, [50, 10, 30, 20]);
  assert.equal(most, 2);
});

test('eachLine puts pieces together, characters too', async () => {
  const bytes = Buffer.from('äb\nc\n\nd');
  const lines: string[] = [];
  await eachLine(Readable.from([...bytes].map((byte) => Buffer.from([byte]))), (line) => lines.push(line));
  assert.deepEqual(lines, ['äb', 'c', '', 'd']);
});

test('the highest status counts', () => {
  assert.equal(overallStatus([]), 0);
  assert.equal(
    overallStatus([
      { node: 'a', status: 3 },
      { node: 'b', status: 255 },
    ]),
    255,
  );
});

/** A zombie is dead, whoever should bury it. */
function isAlive(pid: number): boolean {
  const file = `/proc/${pid}/status`;
  return existsSync(file) && !/^State:\s+Z/m.test(readFileSync(file, 'utf8'));
}

/** The input stays open, as it does under `walt node run`. */
async function runWatched(words: readonly string[]) {
  const child = spawn('sh', ['-c', watchedLine(words)], { stdio: ['pipe', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const status = await new Promise((resolve) => child.on('close', resolve));
  return { status, stdout };
}

async function firstLine(stream: Readable): Promise<string[]> {
  let text = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (text.includes('\n')) break;
  }
  return text.split('\n');
}
