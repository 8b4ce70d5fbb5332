import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { BMC_PASSWORD, BMC_USER, PlayedBmc, type Twist } from '../../../../test/bmc.ts';
import { makeCertificates } from '../../../../test/registry.ts';
import { type PowerConfigOf, run } from '../../../platform/index.ts';
import type { NodeRow } from '../../store.ts';
import { redfish } from './redfish.ts';

type Config = PowerConfigOf<'redfish'>;

const node = { name: 'pc1', type: 'physical', settings: { power: 'bmc-1' } } as NodeRow;
const system = (id: string) => ({ ...node, settings: { power: `bmc-1:${id}` } });
const place = { server: '127.0.0.1', broadcast: '127.0.0.1', onHost: (argv: readonly string[]) => [...argv] };

describe('Redfish', () => {
  let folder: string;
  let bmc: PlayedBmc;
  let config: Config;
  const source = (change: Partial<Config> = {}) => redfish('bmc-1', { ...config, ...change }, place);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'walt-redfish-'));
    const { ca, certificate, key } = await makeCertificates(folder);
    bmc = await PlayedBmc.listen({ certificate, key });
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, `${BMC_PASSWORD}\n`, { mode: 0o600 });
    config = {
      ...{ kind: 'redfish', host: '127.0.0.1', port: bmc.port, user: BMC_USER, passwordFile },
      ...{ network: 'host', ca, fingerprint: undefined },
    };
  });
  after(async () => {
    await bmc.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    bmc.systems.clear();
    bmc.systems.set('1', { PowerState: 'On', offers: ['On', 'ForceOff', 'ForceRestart', 'PowerCycle'] });
    bmc.resets.length = 0;
    bmc.proven = 0;
    bmc.actionInfo = false;
    bmc.logins = ['basic', 'session'];
    bmc.sessions.clear();
    bmc.opened = 0;
    bmc.twist = () => false;
  });

  test('tells the state, switches on and off, and does nothing that is done', async () => {
    const { state, on, off } = source();
    assert.equal(await state?.(node), 'on');
    await on?.(node);
    await off?.(node);
    assert.equal(await state?.(node), 'off');
    await off?.(node);
    await on?.(node);
    assert.deepEqual(bmc.resets, ['1 ForceOff', '1 On']);
  });

  const resets: [string, state: string, offers: readonly string[] | null, done: string[]][] = [
    [
      'cuts the power where the service can',
      'On',
      ['On', 'ForceOff', 'ForceRestart', 'PowerCycle'],
      ['PowerCycle'],
    ],
    ['restarts by force where it cannot', 'On', ['On', 'ForceOff', 'ForceRestart'], ['ForceRestart']],
    ['is off and on where there is no more', 'On', ['On', 'ForceOff'], ['ForceOff', 'On']],
    ['is what all services have where this one does not say', 'On', null, ['ForceRestart']],
    ['of what is off is on', 'Off', ['On', 'ForceOff', 'ForceRestart', 'PowerCycle'], ['On']],
  ];
  for (const [name, PowerState, offers, done] of resets) {
    test(`a reset ${name}`, async () => {
      bmc.systems.set('1', { PowerState, offers });
      await source().reset?.(node);
      assert.deepEqual(
        bmc.resets,
        done.map((type) => `1 ${type}`),
      );
    });
  }

  test('what a reset takes may stand in a resource of its own', async () => {
    bmc.actionInfo = true;
    bmc.systems.set('1', { PowerState: 'On', offers: ['ForceRestart'] });
    await source().reset?.(node);
    assert.deepEqual(bmc.resets, ['1 ForceRestart']);
  });

  test('one of several systems is named by the port', async () => {
    bmc.systems.set('blade-2', { PowerState: 'Off', offers: ['On'] });
    await source().on?.(system('blade-2'));
    assert.deepEqual(bmc.resets, ['blade-2 On']);
    const rejected = (act: Promise<unknown> | undefined, message: RegExp) =>
      assert.rejects(async () => await act, { code: 'EXTERNAL', message });
    await rejected(source().on?.(node), /has the systems 1, blade-2, and must be told which/);
    await rejected(source().on?.(system('3')), /has no system 3: there are 1, blade-2/);
  });

  test('its certificate is known by an authority, or by itself', async () => {
    const fingerprint = async (file: string) => {
      const text = await run([
        'openssl',
        'x509',
        '-in',
        join(folder, file),
        '-noout',
        '-fingerprint',
        '-sha256',
      ]);
      return text.trim().split('=')[1] ?? '';
    };
    const pinned = { ca: undefined, fingerprint: await fingerprint('server.crt') };
    assert.equal(await source(pinned).state?.(node), 'on');
    bmc.proven = 0;
    const other = { ca: undefined, fingerprint: await fingerprint('ca.crt') };
    for (const change of [{ ca: undefined }, other]) {
      await assert.rejects(async () => await source(change).state?.(node), {
        message: /has a certificate that is not trusted/,
        hint: /power\.bmc-1\.ca or power\.bmc-1\.fingerprint/,
      });
    }
    assert.equal(bmc.proven, 0, 'a password is not told to somebody else');
  });

  test('a wrong password is told, with the file that it is in', async () => {
    const passwordFile = join(folder, 'wrong');
    await writeFile(passwordFile, 'nothing', { mode: 0o600 });
    await assert.rejects(async () => await source({ passwordFile }).state?.(node), {
      message: /bmc-1 does not let us in/,
      hint: /password in .*wrong/,
    });
  });

  test('where a password with each question is refused, power is switched by a session, which is ended', async () => {
    bmc.logins = ['session'];
    await source().reset?.(node);
    assert.deepEqual([bmc.resets, bmc.opened, bmc.sessions.size], [['1 PowerCycle'], 1, 0]);
  });

  const json =
    (body: unknown): Twist =>
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      return true;
    };
  const bad: [string, Twist, RegExp][] = [
    [
      'is not there',
      (request) => {
        request.socket.destroy();
        return true;
      },
      /does not answer at 127\.0\.0\.1: ECONNRESET/,
    ],
    [
      'sends us elsewhere',
      (_, response) => {
        response.writeHead(302, { location: 'https://127.0.0.1:1/' }).end();
        return true;
      },
      /sends us elsewhere from \/redfish\/v1\//,
    ],
    [
      'answers without end',
      (_, response) => {
        response.writeHead(200);
        const more = () => {
          while (response.write('x'.repeat(65_536)));
        };
        response.on('drain', more);
        more();
        return true;
      },
      /answers with more than 1048576 bytes/,
    ],
    [
      'has a head without end',
      (_, response) => {
        response.socket?.on('error', () => {});
        response.socket?.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(200_000)}\r\n\r\n`);
        return true;
      },
      /does not answer at 127\.0\.0\.1: HPE_HEADER_OVERFLOW/,
    ],
    [
      'has a body that is none',
      (_, response) => {
        response.socket?.on('error', () => {});
        response.socket?.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n');
        return true;
      },
      /does not answer at 127\.0\.0\.1: /,
    ],
    ['answers with a word', json('on'), /answers \/redfish\/v1\/ with something that is no resource/],
    ['has no systems', json({}), /must be told which|no system/],
    [
      'has a system elsewhere',
      json({ Systems: { '@odata.id': 'https://10.0.0.1/x' } }),
      /names a resource that is not on itself/,
    ],
    [
      'has a system of another host',
      json({ Systems: { '@odata.id': '//10.0.0.1/x' } }),
      /names a resource that is not on itself/,
    ],
    [
      'lists itself for ever',
      json({ Systems: { '@odata.id': '/a' }, 'Members@odata.nextLink': '/b' }),
      /has the systems none/,
    ],
    [
      'has an absurd state',
      (_, response) =>
        json({ Systems: { '@odata.id': '/s' }, Members: [{ '@odata.id': '/s' }], PowerState: 7 })(
          _,
          response,
        ),
      /does not tell whether power is on/,
    ],
    [
      'fails, in words that steer terminals',
      (_, response) => {
        response.writeHead(500).end(JSON.stringify({ error: { message: 'no\u001b[31m\nmore' } }));
        return true;
      },
      /refuses \/redfish\/v1\/ \(HTTP 500: no\?\[31m\?more\)/,
    ],
  ];
  for (const [name, twist, message] of bad) {
    test(`a service that ${name} is told, and ends`, async () => {
      bmc.twist = twist;
      await assert.rejects(async () => await source().state?.(node), { code: 'EXTERNAL', message });
    });
  }
});
