import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Entry, type Facts, judge, type Verdict } from './changes.ts';

const file: Facts = {
  ...{ type: 'file', mode: 0o644, uid: 0, gid: 0, size: 5, mtime: 7n, links: 1, device: 0 },
  attributes: new Map(),
};
const folder: Facts = { ...file, type: 'folder', mode: 0o755 };
const link: Facts = { ...file, type: 'link', target: 'a' };
const whiteout: Facts = { ...file, type: 'whiteout' };
const device: Facts = { ...file, type: 'other', device: 0x103 };
const opaque = { attributes: new Map([['trusted.overlay.opaque', '0x79']]) };
const capable = { attributes: new Map([['security.capability', '0x01']]) };

function entry(path: string, upper: Facts, lower?: Facts, more: Partial<Entry> = {}): Entry {
  return { path, upper, ...(lower && { lower }), children: [], ...more };
}

const NOTHING: Verdict = judge([]);

const copied = { sameContent: true };
const added = (path: string) => entry(path, file);

const cases: [what: string, entries: Entry[], changes: string[], residue: string[]][] = [
  ['a new file', [added('/f')], ['A /f'], []],
  ['a deleted file', [entry('/f', whiteout, file)], ['D /f'], []],
  ['a whiteout of nothing', [entry('/f', whiteout)], [], ['/f']],
  ['a file opened for writing, and left as it was', [entry('/f', file, file, copied)], [], ['/f']],
  ['other bytes, same size and time', [entry('/f', file, file, { sameContent: false })], ['M /f'], []],
  ['another size', [entry('/f', { ...file, size: 6 }, file)], ['M /f'], []],
  ['touched', [entry('/f', { ...file, mtime: 8n }, file)], ['M /f'], []],
  ['chmod only', [entry('/f', { ...file, mode: 0o755 }, file, copied)], ['M /f'], []],
  ['chown only', [entry('/f', { ...file, uid: 1 }, file, copied)], ['M /f'], []],
  ['chgrp only', [entry('/f', { ...file, gid: 1 }, file, copied)], ['M /f'], []],
  ['setcap only', [entry('/f', { ...file, ...capable }, file, copied)], ['M /f'], []],
  ['a capability taken away', [entry('/f', file, { ...file, ...capable }, copied)], ['M /f'], []],
  ['one more link', [entry('/f', { ...file, links: 2 }, file, copied)], ['M /f'], []],
  [
    'metadata copied up without its data',
    [entry('/f', { ...file, attributes: new Map([['trusted.overlay.metacopy', '0x']]) }, file, copied)],
    ['M /f'],
    [],
  ],
  [
    'where overlayfs has it from does not count',
    [entry('/f', { ...file, attributes: new Map([['trusted.overlay.origin', '0x00']]) }, file, copied)],
    [],
    ['/f'],
  ],
  ['a link that points elsewhere', [entry('/l', { ...link, target: 'b' }, link)], ['M /l'], []],
  ['a link that was copied up', [entry('/l', { ...link, mtime: 8n }, link)], [], ['/l']],
  ['a file in place of a link', [entry('/l', file, link)], ['M /l'], []],
  ['a file in place of a folder', [entry('/d', file, folder)], ['M /d'], []],
  ['another device', [entry('/n', { ...device, device: 0x105 }, device)], ['M /n'], []],
  ['the same device', [entry('/n', device, device)], [], ['/n']],
  ['a new folder', [entry('/d', folder, undefined, { children: [added('/d/f')] })], ['A /d', 'A /d/f'], []],
  ['a folder whose time alone differs', [entry('/d', { ...folder, mtime: 9n }, folder)], [], ['/d']],
  ['chmod of a folder', [entry('/d', { ...folder, mode: 0o700 }, folder)], ['M /d'], []],
  [
    'parents of a change stay, and are no change',
    [
      entry('/d', folder, folder, {
        children: [entry('/d/e', folder, folder, { children: [added('/d/e/f')] })],
      }),
    ],
    ['A /d/e/f'],
    [],
  ],
  [
    'parents of nothing go, children first',
    [entry('/d', folder, folder, { children: [entry('/d/f', file, file, copied)] })],
    [],
    ['/d/f', '/d'],
  ],
  [
    'a folder that was deleted and made anew',
    [
      entry('/d', { ...folder, ...opaque }, folder, {
        children: [added('/d/new')],
        lowerNames: ['old', 'older'],
      }),
    ],
    ['M /d', 'A /d/new', 'D /d/old', 'D /d/older'],
    [],
  ],
  [
    'a file kept in a folder made anew is told once',
    [
      entry('/d', { ...folder, ...opaque }, folder, {
        children: [entry('/d/f', { ...file, mtime: 8n }, file)],
        lowerNames: ['f'],
      }),
    ],
    ['M /d', 'M /d/f'],
    [],
  ],
  [
    'a folder in place of a file',
    [entry('/d', folder, file, { children: [added('/d/f')] })],
    ['M /d', 'A /d/f'],
    [],
  ],
  [
    'a folder that was moved',
    [entry('/d', { ...folder, attributes: new Map([['trusted.overlay.redirect', '0x61']]) })],
    ['A /d'],
    [],
  ],
  [
    'what podman mounts over',
    [
      entry('/etc', folder, undefined, {
        children: ['hostname', 'hosts', 'resolv.conf']
          .map((name) => entry(`/etc/${name}`, { ...file, size: 0 }))
          .concat(entry('/etc/mtab', { ...link, target: '/proc/mounts' })),
      }),
      entry('/run', folder, folder, { children: [entry('/run/.containerenv', { ...file, size: 0 })] }),
      ...['/dev', '/proc', '/sys'].map((path) => entry(path, folder)),
    ],
    [],
    [
      ...['/etc/hostname', '/etc/hosts', '/etc/resolv.conf', '/etc/mtab', '/etc'],
      ...['/run/.containerenv', '/run', '/dev', '/proc', '/sys'],
    ],
  ],
  [
    "the same names with the user's content",
    [entry('/etc', folder, folder, { children: [added('/etc/hosts'), entry('/etc/mtab', link)] })],
    ['A /etc/hosts', 'A /etc/mtab'],
    [],
  ],
  ['an empty folder of the user', [entry('/srv', folder)], ['A /srv'], []],
];

/** Paths that the layer does not hold, children before parents. */
function leftOut(entries: readonly Entry[], { layer }: Verdict): string[] {
  const held = new Set([...layer.entries, ...layer.deleted]);
  const own = ({ path }: Entry) => (held.has(path) ? [] : [path]);
  return entries.flatMap((entry) => [...leftOut(entry.children, { ...NOTHING, layer }), ...own(entry)]);
}

for (const [what, entries, changes, residue] of cases) {
  test(what, () => {
    const verdict = judge(entries);
    const told = verdict.changes.map(({ kind, path }) => `${kind} ${path}`);
    assert.deepEqual({ told, residue: leftOut(entries, verdict) }, { told: changes, residue });
    assert.deepEqual(verdict.refused, []);
  });
}

test('the layer deletes what is gone, clears what was made anew, and takes what was moved as a whole', () => {
  const moved = { ...folder, attributes: new Map([['trusted.overlay.redirect', '0x61']]) };
  const { layer } = judge([
    entry('/d', { ...folder, ...opaque }, folder, { children: [added('/d/f')], lowerNames: ['gone'] }),
    entry('/g', whiteout, file),
    entry('/m', moved),
  ]);
  assert.deepEqual(layer, {
    ...{ entries: ['/d', '/d/f', '/m'], moved: ['/m'], deleted: ['/g'], cleared: ['/d'], partial: false },
  });
});

test('where nothing lies below, nothing is cleared', () => {
  const made = { ...folder, ...opaque };
  const { layer } = judge([entry('/run', made), entry('/f', made, file), entry('/new', made)]);
  assert.deepEqual([layer.entries, layer.cleared], [['/f', '/new'], []]);
});

test('data that lies below is told', () => {
  const copy = { ...file, mode: 0o600, attributes: new Map([['trusted.overlay.metacopy', '0x']]) };
  assert.equal(judge([entry('/f', copy, file)]).layer.partial, true);
});

test('names that no layer can hold are refused, whatever has them', () => {
  const long = (bytes: number) => `/${'n'.repeat(bytes)}`;
  assert.deepEqual(judge([added(long(254)), added(long(255))]).refused, [long(255)]);
  const { refused } = judge([
    entry('/d', folder, folder, { children: [added('/d/.wh.x'), added('/d/.wh')] }),
    entry('/.wh.d', folder, undefined, { children: [added('/.wh.d/f')] }),
  ]);
  assert.deepEqual(refused, ['/.wh.d', '/.wh.d/f', '/d/.wh.x']);
});

test('a socket is no change; where it replaced something, that is gone', () => {
  const socket: Facts = { ...file, type: 'socket', size: 0 };
  const { changes, layer } = judge([entry('/a', socket), entry('/b', socket, file)]);
  assert.deepEqual([changes, layer.entries], [[{ kind: 'D', path: '/b' }], []]);
});

test('what no unpacker of layers takes is told: the mode of the root, attributes without a value', () => {
  const empty = { attributes: new Map([['user.empty', '']]) };
  const { changes, layer, lost } = judge([
    entry('', { ...folder, mode: 0o700 }, folder, { children: [entry('/f', { ...file, ...empty })] }),
  ]);
  assert.deepEqual([changes, layer.entries], [[{ kind: 'A', path: '/f' }], ['/f']]);
  assert.deepEqual(
    lost.map(({ path }) => path),
    ['/', '/f'],
  );
});
