import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { Order } from './protocol.ts';
import { Tokens } from './tokens.ts';

const order: Order = {
  ...{ origin: 'https://lab.example', searchOrigin: null, authority: null, otherHosts: [], silence: 1000 },
  credentials: { username: 'ann', password: 'p:ü' },
};
const demand = 'Bearer realm="https://lab.example/token",service="s",scope="repository:exp:push"';

/** Tokens from a host that answers 1, 2, 3 and so on. */
function counted(life: number | undefined): { tokens: Tokens; asked: string[] } {
  const asked: string[] = [];
  const send = async (url: URL, headers: Record<string, string>) => {
    asked.push(`${url.pathname} ${headers.authorization}`);
    const body = JSON.stringify({ access_token: `t${asked.length}`, expires_in: life });
    return Object.assign(Readable.from([Buffer.from(body)]), { statusCode: 200, headers: {} });
  };
  return { tokens: new Tokens(order, send as unknown as (url: URL) => Promise<IncomingMessage>), asked };
}

function stopClock(t: TestContext): void {
  t.mock.timers.enable({ apis: ['Date'] });
}

for (const [life, seconds] of [
  [undefined, 60],
  [5, 60],
  [300, 300],
] as const) {
  test(`a token for ${life} seconds is used for ${seconds}, less some`, async (t) => {
    stopClock(t);
    const { tokens, asked } = counted(life);
    assert.equal(await tokens.answer(demand, 'write', undefined), true);
    t.mock.timers.tick((seconds - 11) * 1000);
    assert.equal(tokens.header('write'), 'Bearer t1');
    assert.equal(await tokens.freshHeader('write'), 'Bearer t1');
    assert.equal(tokens.header('read'), undefined);
    t.mock.timers.tick(2000);
    assert.equal(tokens.header('write'), undefined);
    // For what can be sent once only, a new one is there before.
    assert.equal(await tokens.freshHeader('write'), 'Bearer t2');
    const basic = `Basic ${Buffer.from('ann:p:ü').toString('base64')}`;
    assert.deepEqual(asked, [`/token ${basic}`, `/token ${basic}`]);
  });
}

test('a registry that was never asked demands nothing', async () => {
  assert.equal(await counted(60).tokens.freshHeader('write'), undefined);
});

test('a password that was refused is not sent again', async () => {
  const { tokens } = counted(60);
  assert.equal(await tokens.answer('Basic realm="x"', 'read', undefined), true);
  const sent = tokens.header('read');
  assert.match(sent ?? '', /^Basic /);
  assert.equal(await tokens.answer('Basic realm="x"', 'read', sent), false);
  // Another request was on its way when the password was not known to be wanted.
  assert.equal(await tokens.answer('Basic realm="x"', 'read', undefined), true);
  assert.equal(await tokens.answer('Negotiate', 'read', undefined), false);
  assert.equal(await tokens.answer(undefined, 'read', undefined), false);
});
