import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DhcpRequest } from '../network/index.ts';
import { afterFile, afterPort, afterRequest, type Facts, nothingKnown, recentNotes } from './facts.ts';

const request = (told: Partial<DhcpRequest>): DhcpRequest => ({
  ...{ mac: 'b8:27:eb:00:00:01', hostname: null, vendorClass: null, userClass: null },
  ...{ architecture: null, uuid: null, ...told },
});
const [ONE, TWO] = ['11'.repeat(16), '22'.repeat(16)];
/** The same machine, as its firmware tells it, and with the first parts turned. */
const [STRAIGHT, TURNED] = ['00112233445566778899aabbccddeeff', '33221100554477668899aabbccddeeff'];

describe('requests to DHCP', () => {
  const after = (steps: [time: number, told: Partial<DhcpRequest>][]) => {
    const kinds: string[] = [];
    let facts: Facts = nothingKnown;
    for (const [time, told] of steps) {
      const heard = afterRequest(facts, request(told), time);
      facts = heard.facts;
      kinds.push(...heard.told.map(({ kind }) => kind));
    }
    return { facts, kinds };
  };

  it('leave what was told before, where they say nothing', () => {
    const { facts } = after([
      [0, { vendorClass: 'PXEClient', architecture: 7, uuid: ONE }],
      [5, { userClass: 'iPXE', uuid: ONE }],
      [60, { hostname: 'pc1' }],
    ]);
    const { vendorClass, architecture, userClass, hostname, notes } = facts;
    assert.deepEqual(
      { vendorClass, architecture, userClass, hostname, notes },
      { vendorClass: 'PXEClient', architecture: 7, userClass: 'iPXE', hostname: 'pc1', notes: [] },
    );
  });

  // biome-ignore format: a table, a line for each case
  const table: [what: string, steps: [number, Partial<DhcpRequest>][], kinds: string[]][] = [
    ['one machine', [[0, { uuid: ONE }], [9, { uuid: ONE }], [99, {}]], []],
    ['one machine whose loader turns bytes', [[0, { uuid: STRAIGHT }], [9, { uuid: TURNED }]], []],
    ['an adapter that was put into another machine', [[0, { uuid: ONE }], [9, { uuid: TWO }]], ['other-machine']],
    [
      'two machines that boot in turn',
      [[0, { uuid: ONE }], [600, { uuid: TWO }], [1200, { uuid: ONE }], [1800, { uuid: TWO }]],
      ['other-machine', 'two-machines', 'two-machines'],
    ],
    [
      'an adapter that goes back after a day',
      [[0, { uuid: ONE }], [9, { uuid: TWO }], [90_000, { uuid: ONE }]],
      ['other-machine', 'other-machine'],
    ],
    ['a machine that is renamed', [[0, { hostname: 'a' }], [9, { hostname: 'b' }]], []],
    [
      'two names in turn',
      [[0, { hostname: 'a' }], [9, { hostname: 'b' }], [18, { hostname: 'a' }]],
      ['two-machines'],
    ],
    [
      'another system for some minutes',
      [[0, { hostname: 'a' }], [9, { hostname: 'b' }], [300, { hostname: 'a' }]],
      [],
    ],
  ];
  for (const [what, steps, kinds] of table) {
    it(`of ${what}: ${kinds.join(', ') || 'nothing to tell'}`, () => {
      assert.deepEqual(after(steps).kinds, kinds);
    });
  }

  it('keep one note of each kind, the last, for a week', () => {
    const { facts } = after([
      [0, { uuid: ONE }],
      [9, { uuid: TWO }],
      [90_000, { uuid: ONE }],
    ]);
    assert.deepEqual(
      facts.notes.map(({ kind, at }) => [kind, at]),
      [['other-machine', 90_000]],
    );
    assert.match(facts.notes[0]?.text ?? '', new RegExp(`UUID ${TWO}, it is ${ONE}`));
    assert.deepEqual(recentNotes(facts.notes, 90_000 + 8 * 86_400), []);
  });
});

describe('ports', () => {
  // biome-ignore format: a table, a line for each case
  const table: [what: string, steps: [number, string][], kinds: string[]][] = [
    ['that stay', [[0, 'enp3s0'], [9, 'enp3s0']], []],
    ['to which it moved', [[0, 'enp3s0'], [9, 'enp4s0']], ['moved']],
    ['between which it flaps', [[0, 'a'], [15, 'b'], [30, 'a'], [45, 'b']], ['moved', 'two-machines', 'two-machines']],
    ['that it had an hour ago', [[0, 'a'], [15, 'b'], [3600, 'a']], ['moved', 'moved']],
  ];
  for (const [what, steps, kinds] of table) {
    it(`${what}: ${kinds.join(', ') || 'nothing to tell'}`, () => {
      let facts: Facts = nothingKnown;
      const told = steps.flatMap(([time, port]) => {
        const heard = afterPort(facts, port, time);
        facts = heard.facts;
        return heard.told.map(({ kind }) => kind);
      });
      assert.deepEqual(told, kinds);
      assert.equal(facts.port?.value, steps.at(-1)?.[1]);
    });
  }
});

it('the latest boot files are remembered, each once', () => {
  const files = Array.from({ length: 20 }, (_, index) => `tftp:file${index}`);
  const facts = [...files, 'tftp:file15', 'tftp:file15'].reduce(afterFile, nothingKnown);
  assert.deepEqual(
    facts.files,
    [12, 13, 14, 16, 17, 18, 19, 15].map((number) => `tftp:file${number}`),
  );
});
