/** The console of a real node, by its controller: the real ipmi_sim. */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { after, beforeEach, describe, test } from 'node:test';
import { errorFrame, openApi, openStream } from '../../../test/api.ts';
import { BMC_USER } from '../../../test/bmc.ts';
import { PlayedIpmi } from '../../../test/ipmi.ts';

const bmc = await PlayedIpmi.start();
const { port, passwordFile } = bmc;
const api = await openApi({
  power: {
    bmc: {
      ...{ kind: 'ipmi', host: '127.0.0.1', port, user: BMC_USER, passwordFile },
      ...{ network: 'host', privilege: 'operator', cipherSuite: 3 },
    },
  },
});

after(() => bmc.stop());

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

  test('that nobody gives is told, with what would', async () => {
    const refused = errorFrame('UNAVAILABLE', /Nobody gives the server the console of pc1/);
    refused(await (await open('alice')).ended);
    const { id } = await row();
    await api.server.nodes.store.configure([id], { power: 'wake-on-lan' });
    refused(await (await open('alice')).ended);
  });
});
