/** A board on walt-net whose controllers are on the host's network, and the platform between them. The board only asks: it boots nothing. */
import assert from 'node:assert/strict';
import { on } from 'node:events';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { run, streamProgram } from '../packages/server/src/platform/index.ts';
import { BMC_PASSWORD, BMC_USER, PlayedBmc } from '../packages/server/test/bmc.ts';
import { PlayedIpmi } from '../packages/server/test/ipmi.ts';
import { makeCertificates } from '../packages/server/test/registry.ts';
import { Platform } from './platform.ts';

const MAC = '52:54:00:12:34:56';
const NAME = 'node-123456';
const board = `board${process.pid}`;
let platform: Platform;
let redfish: PlayedBmc;
let ipmi: PlayedIpmi;

before(async () => {
  platform = await Platform.start({ image: false, start: false });
  const { ca, certificate, key } = await makeCertificates(join(platform.folder, 'certificates'));
  const passwordFile = join(platform.folder, 'password');
  await writeFile(passwordFile, BMC_PASSWORD, { mode: 0o600 });
  redfish = await PlayedBmc.listen({ certificate, key });
  redfish.systems.set('1', { PowerState: 'On', offers: ['On', 'ForceOff', 'PowerCycle'] });
  ipmi = await PlayedIpmi.start();
  await ipmi.power(1);
  await ipmi.forget();
  const address = { host: '127.0.0.1', user: BMC_USER };
  const power = {
    web: { ...address, kind: 'redfish', port: redfish.port, 'password-file': passwordFile, ca },
    bmc: { ...address, kind: 'ipmi', port: ipmi.port, 'password-file': ipmi.passwordFile, 'cipher-suite': 3 },
  };
  await appendFile(platform.configFile, `power: ${JSON.stringify(power)}\n`);
  await platform.up();
  await plugIn();
});
after(async () => {
  await run(['ip', 'netns', 'delete', board]).catch(() => {});
  await ipmi?.stop();
  await redfish?.close();
  await platform?.close();
});

/** The board gets a cable to walt-net and asks for its boot, as iPXE does: it is a node then. */
async function plugIn(): Promise<void> {
  const { namespace } = platform;
  await run(['ip', 'netns', 'add', board]);
  await run([
    ...['ip', '-netns', namespace, 'link', 'add', 'board', 'type', 'veth'],
    ...['peer', 'name', 'eth0', 'address', MAC, 'netns', board],
  ]);
  await run(['ip', '-netns', namespace, 'link', 'set', 'board', 'master', 'walt0', 'up']);
  await run(['ip', '-netns', board, 'link', 'set', 'eth0', 'up']);
  await run(['ip', '-netns', board, 'address', 'add', '10.73.0.77/16', 'dev', 'eth0']);
  const url = `http://10.73.0.1/boot/ipxe?mac=${MAC}&cpu=x86_64`;
  await run(['ip', 'netns', 'exec', board, 'busybox', 'wget', '-q', '-O', '-', url]);
}

test('a hard reboot of a board goes to its controller on the host’s network, by Redfish', async () => {
  await platform.root.ok('node', 'config', NAME, 'power=web');
  await platform.root.ok('node', 'reboot', '--hard', NAME);
  assert.deepEqual(redfish.resets, ['1 PowerCycle']);
});

test('the same by IPMI', async () => {
  await platform.root.ok('node', 'config', NAME, 'power=bmc');
  await platform.root.ok('node', 'reboot', '--hard', NAME);
  assert.deepEqual(await ipmi.doneTo('set power 1'), ['set power 0', 'set power 1']);
});

test('the console of a board is its controller’s', async () => {
  const { root } = platform;
  const console = streamProgram(root.command('node', 'console', NAME), { stdin: 'pipe', env: root.env });
  const printed = on(console.stdout, 'data', { signal: AbortSignal.timeout(60_000) });
  console.stdin.write('who is there?');
  let seen = '';
  for await (const [bytes] of printed) {
    seen += bytes;
    if (seen.includes('[who is there?]')) break;
  }
  console.kill();
  await console.ended.catch(() => {});
});

test('a board that is off is woken by a packet', async () => {
  const packet = `${'ff'.repeat(6)}${MAC.replaceAll(':', '').repeat(16)}`;
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const cable = streamProgram(
    ['ip', 'netns', 'exec', board, 'socat', '-d', '-d', '-u', 'INTERFACE:eth0', 'STDOUT'],
    { onStderrLine: (line) => line.includes('starting data transfer loop') && resolve() },
  );
  try {
    await ready;
    const frames = on(cable.stdout, 'data', { signal: AbortSignal.timeout(60_000) });
    await platform.root.ok('node', 'config', NAME, 'power=wake-on-lan');
    await platform.root.ok('node', 'reboot', NAME);
    let seen = '';
    for await (const [bytes] of frames) {
      seen += (bytes as Buffer).toString('hex');
      if (seen.includes(packet)) return;
    }
    assert.fail('socat has ended');
  } finally {
    cable.kill();
    await cable.ended.catch(() => {});
  }
});
