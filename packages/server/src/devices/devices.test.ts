import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PlayedNeighbours } from '../../test/devices.ts';
import { parseSubnet } from '../network/subnet.ts';
import { openDatabase } from '../platform/index.ts';
import { serverTables } from '../tables.ts';
import { Devices } from './devices.ts';

const mac = (number: number) =>
  `b8:27:eb:00:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`;

async function small(unknownDevices = 1000) {
  const database = await openDatabase(':memory:', serverTables);
  const network = new PlayedNeighbours(parseSubnet('10.73.0.0/16'));
  const nodes: { mac: string; ip: string; name: string }[] = [];
  const journal: string[] = [];
  const log = { info() {}, warn: (message: string) => void journal.push(message), error() {} };
  const open = async () => {
    const devices = await Devices.open({
      ...{ database, network, log, limits: { unknownDevices } },
      nodes: { all: async () => nodes },
    });
    await devices.start();
    return devices;
  };
  return { database, network, nodes, journal, open };
}

describe('devices', () => {
  test('are known by what they say, by their lease, by what they asked for and where they are plugged', async () => {
    const { network, open } = await small();
    const devices = await open();
    network.plugged.set(mac(1), 'enp3s0');
    network.ask(mac(1), { hostname: 'printer', vendorClass: 'ACME', architecture: 7 }, '10.73.128.5');
    await devices.look();
    devices.asked('10.73.128.5', 'tftp', 'a\x1b]0;evil\x07');
    devices.asked('10.73.128.6', 'tftp', 'of nobody');
    const [device, ...others] = await devices.all();
    assert.equal(others.length, 0);
    assert.equal(device?.ip, '10.73.128.5');
    const { hostname, vendorClass, architecture, files, port } = device?.facts ?? {};
    assert.deepEqual(
      { hostname, vendorClass, architecture, files, port: port?.value },
      {
        ...{ hostname: 'printer', vendorClass: 'ACME', architecture: 7, port: 'enp3s0' },
        files: ['tftp:a\\x1b]0;evil\\x07'],
      },
    );
    await devices.close();
  });

  test('that are nodes tell which port of a switch they are plugged into; the last word counts, also after a restart', async () => {
    const { nodes, open } = await small();
    nodes.push({ mac: mac(1), ip: '10.73.0.2', name: 'node1' });
    const first = await open();
    for (const port of ['1', '2']) first.pluggedInto(mac(1), { mac: mac(100), port });
    first.pluggedInto(mac(2), { mac: mac(100), port: '3' });
    await first.close();
    const second = await open();
    const known = (await second.all()).map(({ mac, facts: { neighbour } }) => [
      mac,
      neighbour?.mac,
      neighbour?.port,
    ]);
    assert.deepEqual(known, [[mac(1), mac(100), '2']]);
    await second.close();
  });

  test('stay over a restart, and who came meanwhile is known by his lease', async () => {
    const { network, open } = await small();
    const first = await open();
    network.ask(mac(1), { hostname: 'printer' }, '10.73.128.5');
    await first.close();
    network.ask(mac(2), { hostname: 'not heard' }, '10.73.128.6');
    const second = await open();
    const known = (await second.all()).map(({ mac, ip, facts }) => [mac, ip, facts.hostname]);
    assert.deepEqual(known, [
      [mac(1), '10.73.128.5', 'printer'],
      [mac(2), '10.73.128.6', null],
    ]);
    await second.close();
  });

  test('are so many at most, in the database too: the oldest are forgotten, never nodes nor those with a name', async () => {
    const { database, network, nodes, open } = await small(10);
    const devices = await open();
    network.ask(mac(1));
    nodes.push({ mac: mac(2), ip: '10.73.0.2', name: 'node2' });
    network.ask(mac(2));
    await devices.look();
    await devices.rename(mac(1), 'printer');
    for (let number = 1000; number < 9000; number++) network.ask(mac(number));
    const macs = (await devices.all()).map((device) => device.mac);
    assert.equal(macs.length, 12);
    assert.ok(macs.includes(mac(1)) && macs.includes(mac(2)));
    const rows = await database.selectFrom('device').select('mac').execute();
    assert.deepEqual(rows.map((row) => row.mac).sort(), macs.sort());
    await devices.close();
  });

  test('are gone with the node that they were, until they ask again', async () => {
    const { network, nodes, open } = await small();
    nodes.push({ mac: mac(1), ip: '10.73.0.2', name: 'node1' });
    const devices = await open();
    network.ask(mac(1));
    assert.equal((await devices.all()).length, 1);
    network.ask(mac(1));
    nodes.pop();
    assert.deepEqual(await devices.all(), []);
    network.ask(mac(1));
    assert.equal((await devices.all()).length, 1);
    await devices.forget(mac(1));
    assert.deepEqual(await devices.all(), []);
    await devices.close();
  });

  test('tell the journal of two machines with one address, once in a while', async () => {
    const { network, nodes, journal, open } = await small();
    nodes.push({ mac: mac(1), ip: '10.73.0.2', name: 'node1' });
    const devices = await open();
    for (let turn = 0; turn < 20; turn++) {
      network.ask(mac(1), { uuid: (turn % 2 === 0 ? '11' : '22').repeat(16) });
      await devices.look();
    }
    assert.deepEqual(journal, ['an adapter in another machine', 'two machines with one hardware address']);
    const [, note] = devices.notesOf(mac(1));
    assert.match(note?.text ?? '', /^Two machines have this hardware address: UUID 2+ and 1+ ask in turn/);
    assert.deepEqual(
      devices.notesOf(mac(1)).map(({ kind }) => kind),
      ['other-machine', 'two-machines'],
    );
    await devices.close();
  });

  test('have names of their own: of two who choose one at once, the first has it', async () => {
    const { network, open } = await small();
    const devices = await open();
    network.ask(mac(1));
    network.ask(mac(2));
    await devices.look();
    const [first, second] = await Promise.allSettled(
      [1, 2].map((number) => devices.rename(mac(number), 'pc')),
    );
    assert.deepEqual([first?.status, second?.status], ['fulfilled', 'rejected']);
    await devices.rename(mac(2), 'pc2');
    assert.deepEqual([devices.nameOf(mac(1)), devices.nameOf(mac(2))], ['pc', 'pc2']);
    await devices.close();
  });

  test('have a note as long as their clock is off', async () => {
    const { network, open } = await small();
    const devices = await open();
    network.ask(mac(1));
    await devices.look();
    await devices.note(mac(1), 'clock', 'Its clock is 9 years behind.');
    assert.deepEqual(
      devices.notesOf(mac(1)).map(({ text }) => text),
      ['Its clock is 9 years behind.'],
    );
    await devices.note(mac(1), 'clock', undefined);
    assert.deepEqual(devices.notesOf(mac(1)), []);
    await devices.close();
  });
});
