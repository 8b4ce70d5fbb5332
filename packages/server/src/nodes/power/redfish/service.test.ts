import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BMC_PASSWORD, BMC_USER, PlayedBmc, type Twist } from '../../../../test/bmc.ts';
import { makeCertificates } from '../../../../test/registry.ts';
import { run } from '../../../platform/index.ts';
import type { Order } from './protocol.ts';
import { Service } from './service.ts';

describe('a service that is slow', () => {
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
