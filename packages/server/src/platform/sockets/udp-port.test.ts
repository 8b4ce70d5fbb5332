import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UdpPort } from './udp-port.ts';

const local = '127.0.0.1';

test('datagrams come and go; what cannot be sent is lost, and a failure costs its datagram only', async () => {
  const journal: string[] = [];
  const log = { info() {}, warn() {}, error: (message: string) => void journal.push(message) };
  const got: string[] = [];
  const all = Promise.withResolvers<void>();
  const port = await UdpPort.open({
    ...{ name: 'test', log, address: local, port: 0 },
    receive: (bytes) => {
      if (`${bytes}` === 'bad') throw new Error('failed');
      got.push(`${bytes}`);
      if (`${bytes}` === 'last') all.resolve();
    },
  });
  const to = { address: local, port: port.port };
  port.send(Buffer.from('to nobody'), { address: local, port: 0 });
  port.send(Buffer.from('too far'), { address: '255.255.255.255', port: 9 });
  port.send(Buffer.alloc(70_000), to);
  for (const text of ['first', 'bad', 'bad', 'last']) port.send(Buffer.from(text), to);
  await all.promise;
  assert.deepEqual(got, ['first', 'last']);
  assert.deepEqual(journal, ['test: a datagram failed'], 'told once');
  await port.close();
  await port.close();
  port.send(Buffer.from('late'), to);
});

test('a port that is taken is told', async () => {
  const log = { info() {}, warn() {}, error() {} };
  const options = { name: 'test', log, address: local, receive: () => {} };
  const first = await UdpPort.open({ ...options, port: 0 });
  await assert.rejects(UdpPort.open({ ...options, port: first.port }), { code: 'EADDRINUSE' });
  await first.close();
});
