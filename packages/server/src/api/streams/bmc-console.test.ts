/** The console of a real node, by its controller: the real ipmi_sim. */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { after, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { errorFrame, openApi, openStream } from '../../../test/api.ts';
import { BMC_USER } from '../../../test/bmc.ts';
import { PlayedIpmi } from '../../../test/ipmi.ts';
import { toldLines } from '../../logs/index.ts';

const bmc = await PlayedIpmi.start();
/** Of another node: a controller ends a session that is left some time later, whosever it is by then. */
const other = await PlayedIpmi.start();
const access = ({ port, passwordFile }: PlayedIpmi) => ({
  kind: 'ipmi' as const,
  ...{ host: '127.0.0.1', port, user: BMC_USER, passwordFile, cipherSuite: 3 },
  network: 'host' as const,
  privilege: 'operator' as const,
});
const api = await openApi({
  lines: true,
  power: { bmc: access(bmc), other: access(other) },
});

after(() => Promise.all([bmc.stop(), other.stop()]));

describe('the console of a real node', () => {
  const open = async (user: string) => openStream(api, '/stream/console?node=pc1', await api.token(user));
  const row = () => api.server.nodes.lookup.row('pc1');

  beforeEach(async () => {
    await api.server.addImage('alice/debian');
    await api.server.addNode('pc1', 'alice/debian', 'physical');
  });

  test('is its controller’s: several watch, one types, another one takes over; what was seen is kept', async () => {
    const { id } = await row();
    await api.server.nodes.store.configure([id], { power: 'bmc' });
    const writes = (user: string | null, you = false) => ({ type: 'writer', user, you });
    const first = await open('alice');
    await first.untilFrame(writes(null));
    first.socket.send(Buffer.from('from alice'));
    await first.until('from alice]');
    const second = await open('root');
    await second.until('from alice]');
    await second.untilFrame(writes('alice'));
    second.socket.send(Buffer.from('for nobody'));
    second.socket.send('{"type":"take"}');
    second.socket.send(Buffer.from('from root'));
    await Promise.all([first.until('from root]'), first.untilFrame(writes('root'))]);
    assert.ok(!bmc.typed.includes('for nobody'));
    for (const one of [first, second]) one.socket.close();
    await Promise.all([first.ended, second.ended]);

    // At once: the controller may not have freed it yet.
    const third = await open('alice');
    await third.until('from root]');
    third.socket.send(Buffer.from('again'));
    await third.until('again]');
    const { mode } = await stat((await api.server.nodes.lookup.console(id)).log);
    assert.equal(mode & 0o777, 0o600);
    third.socket.close();
    await third.ended;
  });

  test('is a stream of logs while somebody watches, unless that is switched off; each line comes once', async () => {
    const { id, ip } = await row();
    await api.server.nodes.store.configure([id], { power: 'other' });
    const query = { issuers: { [ip]: 'pc1' }, from: 0, to: Number.MAX_SAFE_INTEGER, follow: false };
    const lines = async () => {
      const told: [string, string][] = [];
      for await (const some of toldLines(await api.server.logs.read(query, AbortSignal.timeout(60_000))))
        for (const { issuer, stream, text } of some) told.push([`${issuer}.${stream}`, text]);
      return told;
    };
    const come = async (...wanted: string[]) => {
      while ((await lines()).length < wanted.length) await delay(20);
      assert.deepEqual(
        await lines(),
        wanted.map((text) => ['pc1.console', text]),
      );
    };
    const one = await open('alice');
    await one.untilFrame({ type: 'writer', user: null, you: false });
    // What is typed is printed in brackets; a newline ends a line.
    const typed = async (text: string) => {
      one.socket.send(Buffer.from(text));
      await one.until(`${text}]`);
    };
    await typed('a\nb');
    await come('[a');
    await typed('c\nd');
    await come('[a', 'b][c');
    const set = (value: string) => api.server.nodes.store.configure([id], { 'logs.console': value });
    await set('false');
    await typed('e\nf');
    await set('true');
    await typed('g\nh');
    await come('[a', 'b][c', '[g');
    await typed('i\nj');
    // What it printed last is not lost when nobody watches any more.
    one.socket.close();
    await one.ended;
    await come('[a', 'b][c', '[g', 'h][i');
  });

  test('that nobody gives is told, with what would', async () => {
    const refused = errorFrame('UNAVAILABLE', /Nobody gives the server the console of pc1/);
    refused(await (await open('alice')).ended);
    const { id } = await row();
    await api.server.nodes.store.configure([id], { power: 'wake-on-lan' });
    refused(await (await open('alice')).ended);
  });
});
