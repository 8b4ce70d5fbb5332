/** What reads users' texts takes time that grows with their length: 1 MB of the worst is a moment, not a minute. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withoutSlashes } from '../trees/index.ts';
import { compareReleases } from './kernel/kernel.ts';
import { loadOrder, moduleName, parseModuleIndex } from './kernel/modules.ts';
import { credentialsOf, mendPasswd, mendShadow, rootOf } from './lending/accounts.ts';
import { inittabPrograms } from './lending/image-facts.ts';
import { boardOf, imageModels } from './scripts/index.ts';
import { parseImageSpec, renderTemplate } from './walt-images/image-spec.ts';
import { requireServerVersion } from './walt-images/index.ts';

const MB = 1_000_000;

/** 1 MB of a text, over and over. */
const much = (text: string) => text.repeat(Math.ceil(MB / text.length));
const lines = (line: (i: number) => string, count = 60_000) =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n');

const order = (texts: Partial<Parameters<typeof parseModuleIndex>[0]>) => {
  const index = parseModuleIndex({ dep: '', ...texts });
  loadOrder(index, [...index.files.keys()].slice(0, 1000));
};

const rows: [name: string, parse: (text: string) => unknown, texts: string[]][] = [
  [
    'modules.softdep',
    (softdep) => order({ softdep, dep: 'a.ko:\n' }),
    [
      `softdep a ${much(' ')}`,
      `softdep a ${much('pre: ')}x`,
      `softdep a ${much('pre:')}`,
      much('softdep a pre: b post: c\n'),
      `softdep a pre: ${much('x ')}post:${much(' ')}\n`,
    ],
  ],
  [
    'modules.softdep with modules.alias',
    (text) => order({ dep: 'a.ko:\n', softdep: `softdep a pre: ${much('x ')}`, alias: text }),
    [much('alias x a\n'), lines((i) => `alias x${i} a`)],
  ],
  [
    'modules.dep',
    (dep) => order({ dep }),
    [
      `a.ko:${much(' a.ko')}`,
      much(':'),
      much('.ko'),
      `${lines((i) => `m${i}.ko: m${i + 1}.ko`)}\n`,
      `a.ko: ${lines((i) => `m${i}.ko`).replaceAll('\n', ' ')}\n${lines((i) => `m${i}.ko: a.ko`)}`,
    ],
  ],
  ['a module’s name', moduleName, [much('.ko'), much('.ko.xz'), much('-')]],
  [
    '/etc/inittab',
    inittabPrograms,
    [
      `::x:${much(' ')}\r`,
      `::x:${much(' \r')}x`,
      `::x:/${much(' ')}`,
      much(':'),
      much('#'),
      much('::x:/a b\n'),
    ],
  ],
  [
    '/etc/walt/image.spec',
    tried(parseImageSpec),
    [much('"'), much('\\"'), much('"\\'), much(', '), `[,${much(' ')}`, much('#'), much('[')],
  ],
  ['a template', (text) => renderTemplate(text, {}), [much('%('), `%(${much('a')}`, much('%(a'), much('%')]],
  [
    '/etc/passwd',
    (text) => [
      mendPasswd(text, () => false),
      rootOf(text),
      credentialsOf('x', { passwd: text, group: text, shadow: '' }),
    ],
    [
      much('x:y\n'),
      `root:x:0:0::/root:${'/'.repeat(MB / 2)}\n${much('root:\n').slice(0, MB / 2)}`,
      lines((i) => `u${i}:x:${i}:0::/:/bin/sh`),
      much(':'),
    ],
  ],
  ['/etc/shadow', mendShadow, [much('root:!'), much('root:*\n'), much('\n')]],
  ['a release', (text) => compareReleases(text, `${text}x`), [much('1a'), much('1'), much('.')]],
  [
    'a label of versions',
    (text) => tried(requireServerVersion)({ 'walt.server.minversion': text }),
    [much('1.'), `${much('1')}x`, much('9')],
  ],
  [
    'a label of models',
    (text) => imageModels('amd64', { 'walt.node.models': text }, []),
    [much('a,'), much('a-'), much(' ')],
  ],
  [
    'a board',
    (text) => boardOf(new URLSearchParams({ cpu: text, vendor: 'x', fdt: text })),
    [much('/'), much('a-'), much('a/b-'), much('a')],
  ],
  ['a path', withoutSlashes, [`${much('/')}x`, much('/'), much('/x')]],
];

/** Refusals are answers, too. */
function tried<T>(parse: (value: T) => unknown): (value: T) => unknown {
  return (value) => {
    try {
      return parse(value);
    } catch (error) {
      assert.ok(error instanceof Error && 'hint' in error, String(error));
      return error.message.slice(0, 10);
    }
  };
}

/** Milliseconds for a look at each character of 1 MB, on this machine at this moment; the shortest of some. */
function measure(act: () => unknown, times: number): number {
  return Math.min(
    ...Array.from({ length: times }, () => {
      const start = performance.now();
      act();
      return performance.now() - start;
    }),
  );
}

function look(text: string): number {
  let sum = 0;
  for (let i = 0; i < text.length; i += 1) sum = (sum + text.charCodeAt(i)) | 0;
  return sum;
}

/** A look takes 1 ms; splitting into words some 50. What grows with the square takes 10 000 times as long, and more. */
const FACTOR = 800;

describe('1 MB of the worst', () => {
  for (const [name, parse, texts] of rows) {
    for (const [number, text] of texts.entries()) {
      test(`${name}, ${number + 1}`, () => {
        const baseline = measure(() => look(text), 5);
        const time = measure(() => parse(text), 2);
        assert.ok(time < FACTOR * Math.max(baseline, 0.5), `${time} ms, a look ${baseline} ms`);
      });
    }
  }
});
