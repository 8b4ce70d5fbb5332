import { test } from 'node:test';
import { Pty } from '../../test/pty.ts';

test('what is typed ahead of a question is its answer, or goes to what reads then', async () => {
  const program = `
    const { ask } = await import(${JSON.stringify(import.meta.resolve('./prompt.ts'))});
    console.log('first: ' + await ask('first? '));
    console.log('second: ' + await ask('second? '));
    process.stdin.setRawMode(true).resume().once('data', (rest) => {
      console.log('rest: ' + JSON.stringify(String(rest)));
      process.exit();
    });`;
  const argv = [process.execPath, '--input-type=module', '--eval', program];
  using pty = new Pty(argv, { PATH: process.env.PATH ?? '' }, import.meta.dirname);
  await pty.expect(/first\? /);
  pty.type('one\rtwo\rls');
  await pty.expect(/first: one/);
  await pty.expect(/second: two/);
  await pty.expect(/rest: "ls"/);
});
