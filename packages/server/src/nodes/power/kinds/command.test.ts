import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { PowerConfigOf } from '../../../platform/index.ts';
import type { NodeRow } from '../../store.ts';
import { command } from './command.ts';

const node = {
  ...{ name: 'pc1', mac: '52:54:00:00:00:01', ip: '10.73.0.2', type: 'physical' },
  settings: { power: 'plugs:7' },
} as NodeRow;
const place = { server: '127.0.0.1', broadcast: '127.0.0.1', onHost: (argv: readonly string[]) => [...argv] };
const sh = (script: string, ...words: string[]) => ['/bin/sh', '-c', script, 'sh', ...words];
const source = (lines: Partial<PowerConfigOf<'command'>>, onHost = place.onHost) =>
  command('plugs', { kind: 'command', user: 'nobody', network: 'host', ...lines }, { ...place, onHost });

describe('a command of the administrator’s', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'walt-command-'));
    await chmod(folder, 0o755);
  });
  beforeEach(async () => {
    await writeFile(join(folder, 'told'), '');
    await chmod(join(folder, 'told'), 0o666);
  });
  after(() => rm(folder, { recursive: true }));
  const told = () => readFile(join(folder, 'told'), 'utf8');

  test('is told of the node by whole words, which no shell reads', async () => {
    const script = `printf '%s|' "$@" > ${folder}/told`;
    await source({ on: sh(script, '{name}', '{mac}', '{ip}', '{port}', 'a b;$(id)') }).on?.(node);
    assert.equal(await told(), 'pc1|52:54:00:00:00:01|10.73.0.2|7|a b;$(id)|');
  });

  test('has the rights of its user alone, and nothing of the server’s environment', async () => {
    const script = `{ id -un; id -Gn; pwd; env | cut -d= -f1 | sort; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; } > ${folder}/told`;
    await source({ on: sh(script) }).on?.(node);
    assert.deepEqual((await told()).split('\n').slice(0, -1), [
      ...['nobody', 'nogroup', '/', 'LANG', 'PATH', 'PWD'],
      ...['CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000', 'NoNewPrivs:\t1'],
    ]);
  });

  test('tells the state in a word', async () => {
    const line = sh('echo "$1"', 'off');
    assert.equal(await source({ on: line, state: line }).state?.(node), 'off');
    const absurd = source({ on: line, state: sh('echo maybe') });
    await assert.rejects(async () => await absurd.state?.(node), {
      message: /plugs prints neither "on" nor "off" as state/,
      hint: /power\.plugs\.state/,
    });
  });

  test('that fails, or prints without end, is told', async () => {
    const failing = source({ on: sh('echo the plug is gone >&2; exit 3') });
    await assert.rejects(async () => await failing.on?.(node), {
      ...{ code: 'EXTERNAL', message: /plugs failed: .*exit status 3.*the plug is gone/ },
      hint: 'Try the command by hand, as nobody: it is power.plugs in server.conf.',
    });
    const endless = source({ on: sh('while :; do echo on; done') });
    await assert.rejects(async () => await endless.on?.(node), /printed more than 65536 bytes/);
    await assert.rejects(async () => await source({ on: ['/nowhere/plug'] }).on?.(node), /plugs failed/);
    const nobody = source({ on: sh('true'), user: 'not-there-at-all' });
    await assert.rejects(async () => await nobody.on?.(node), /plugs failed: id failed/);
  });

  test('runs with the host’s network, or with walt-net’s', async () => {
    const seen: string[][] = [];
    const onHost = (argv: readonly string[]) => {
      seen.push([...argv]);
      return [...argv];
    };
    await source({ on: sh('true') }, onHost).on?.(node);
    assert.equal(seen.length, 1);
    await source({ on: sh('true'), network: 'walt-net' }, onHost).on?.(node);
    assert.equal(seen.length, 1);
  });

  test('serves several nodes where it is told which; its port is needed where it is used', () => {
    const kinds = [['{port}'], ['{port}', '{mac}'], ['{name}'], []].map((words) => {
      const { port, shared, on, off, reset, state } = source({ off: ['/bin/true', ...words] });
      assert.deepEqual([on, typeof off, reset, state], [undefined, 'function', undefined, undefined]);
      return [port, shared];
    });
    assert.deepEqual(kinds, [
      ['needed', false],
      ['needed', true],
      ['none', true],
      ['none', false],
    ]);
  });
});
