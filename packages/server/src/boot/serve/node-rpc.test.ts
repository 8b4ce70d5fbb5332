import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerRpc, type SwitchPort } from './node-rpc.ts';

async function ask(...lines: string[]) {
  const told: SwitchPort[] = [];
  const answer = await answerRpc(lines.join('\n'), { pluggedInto: (place) => void told.push(place) });
  return { answer, told };
}

test('the clock is told when a second begins', async () => {
  const before = Date.now() / 1000;
  const { answer } = await ask('sync_clock', '');
  const after = Date.now() / 1000;
  const told = Number(/^RESULT (\d+)$/.exec(answer)?.[1]);
  assert.ok(before < told && told <= after + 0.5, `${before} < ${told} <= ${after}`);
});

const MAC = '00:1b:21:0a:0b:0c';
const neighbours: [mac: string, port: string, told: SwitchPort][] = [
  [`'${MAC}'`, "'gi1/0/3'", { mac: MAC, port: 'gi1/0/3' }],
  [`"${MAC.toUpperCase()}"`, '"3"', { mac: MAC, port: '3' }],
  [`'${MAC}'`, String.raw`'it\'s \\ "x"'`, { mac: MAC, port: String.raw`it's \ "x"` }],
  [`'${MAC}'`, "'\u001b[31mé'", { mac: MAC, port: String.raw`\x1b[31m\xc3\xa9` }],
];
for (const [mac, port, told] of neighbours) {
  test(`a neighbour is told: ${JSON.stringify([mac, port])}`, async () => {
    const { answer, told: heard } = await ask('report_lldp_neighbor', mac, port);
    assert.deepEqual([answer, heard], ['RESULT None', [told]]);
  });
}

const refused: [lines: string[], issue: RegExp][] = [
  [[''], /^ISSUE there is no function ""; there are sync_clock, report_lldp_neighbor$/],
  [['constructor'], /^ISSUE there is no function "constructor"/],
  [['__class__', '7'], /^ISSUE there is no function/],
  [['sync_clock', '7'], /^ISSUE sync_clock takes no arguments/],
  [['report_lldp_neighbor'], /^ISSUE .* takes two texts/],
  [['report_lldp_neighbor', `'${MAC}'`, '3'], /^ISSUE .* takes two texts/],
  [['report_lldp_neighbor', `'${MAC}'`, "'3'", "'4'"], /^ISSUE .* takes two texts/],
  [['report_lldp_neighbor', `'${MAC}:00'`, "'3'"], /^ISSUE "00:.*" is no hardware address/],
  [['report_lldp_neighbor', `'${MAC}'`, "''"], /^ISSUE .* is empty/],
  [['report_lldp_neighbor', MAC, "'3'"], /^ISSUE "00:.*" is no text between quotes/],
  [['report_lldp_neighbor', `'${MAC}'`, "'it's'"], /^ISSUE "'it's'" is no text between quotes/],
  [['report_lldp_neighbor', `'${MAC}'`, "__import__('os')"], /^ISSUE .* is no text between quotes/],
];
for (const [lines, issue] of refused) {
  test(`is refused: ${JSON.stringify(lines)}`, async () => {
    const { answer, told } = await ask(...lines);
    assert.match(answer, issue);
    assert.deepEqual(told, []);
  });
}
