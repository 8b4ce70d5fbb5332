import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { BMC_PASSWORD, BMC_USER, PlayedBmc, type Twist } from '../../../../test/bmc.ts';
import { makeCertificates } from '../../../../test/registry.ts';
import { run } from '../../../platform/index.ts';
import type { Order } from './protocol.ts';
import { Service } from './service.ts';
import { carryOut } from './system.ts';

let folder: string;
let bmc: PlayedBmc;
let order: Order;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-redfish-'));
  const { certificate, key } = await makeCertificates(folder);
  bmc = await PlayedBmc.listen({ certificate, key });
  const told = await run(['openssl', 'x509', '-in', certificate, '-noout', '-fingerprint', '-sha256']);
  order = {
    ...{ host: '127.0.0.1', port: bmc.port, user: BMC_USER, password: BMC_PASSWORD },
    ...{ authority: null, fingerprint: told.trim().split('=')[1] ?? '', system: null, act: 'state' },
  };
});
after(async () => {
  await bmc.close();
  await rm(folder, { recursive: true });
});

describe('by a session, where a password with each question is refused,', () => {
  const ask = (change: Partial<Order> = {}) =>
    carryOut({ ...order, ...change }, AbortSignal.timeout(600_000));
  beforeEach(() => {
    bmc.systems.set('1', { PowerState: 'On', offers: ['On', 'ForceOff'] });
    bmc.logins = ['session'];
    bmc.twist = () => false;
    bmc.opened = 0;
    bmc.resets.length = 0;
    bmc.sessions.clear();
  });

  test('power is switched, and no session is left', async () => {
    assert.equal(await ask({ act: 'reset' }), 'on');
    assert.deepEqual([bmc.resets, bmc.opened, bmc.sessions.size], [['1 ForceOff', '1 On'], 1, 0]);
  });

  test('there is none where the password is taken', async () => {
    bmc.logins = ['basic', 'session'];
    assert.equal(await ask(), 'on');
    assert.equal(bmc.opened, 0);
  });

  test('one that is ended in between is followed by another, and by no third', async () => {
    const forget = (times: number): Twist => {
      return ({ method, headers }) => {
        const isNew = method === 'GET' && headers['x-auth-token'] !== undefined && bmc.opened <= times;
        if (isNew) bmc.sessions.clear();
        return false;
      };
    };
    bmc.twist = forget(1);
    assert.equal(await ask(), 'on');
    assert.deepEqual([bmc.opened, bmc.sessions.size], [2, 0]);
    bmc.opened = 0;
    bmc.twist = forget(9);
    await assert.rejects(ask(), { message: /does not let us in/ });
    assert.equal(bmc.opened, 2);
  });

  test('what fails leaves no session', async () => {
    await assert.rejects(ask({ system: '3' }), { message: /has no system 3/ });
    assert.deepEqual([bmc.opened, bmc.sessions.size], [1, 0]);
  });

  test('a wrong password is told', async () => {
    await assert.rejects(ask({ password: 'nothing' }), { message: /does not let us in/ });
    assert.equal(bmc.opened, 0);
  });

  test('a service that has no sessions either is told as one that refuses the password', async () => {
    bmc.logins = [];
    await assert.rejects(ask(), { message: /does not let us in/ });
  });

  test('whoever does not end a session is not waited for', async () => {
    bmc.twist = ({ method }) => method === 'DELETE';
    assert.equal(await ask(), 'on');
    assert.equal(bmc.sessions.size, 1);
  });
});

describe('a service that is slow', () => {
  /** Sends a byte of its body whenever the one before is taken, and never the last one. */
  const trickle: Twist = (_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 5);
    response.on('close', () => clearInterval(timer));
    return true;
  };
  const slow: [string, Twist][] = [
    ['never answers', () => true],
    ['answers byte by byte', trickle],
  ];
  for (const [name, twist] of slow) {
    test(`or ${name} has its time, and no more`, async () => {
      bmc.twist = twist;
      const service = new Service(order, AbortSignal.timeout(500));
      await assert.rejects(service.get('/redfish/v1/'), /does not answer at 127\.0\.0\.1: it takes too long/);
    });
  }
});
