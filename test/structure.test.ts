/** The walls of the house (CONTRIBUTING.md, "Style"): who imports what, and how many files a folder has. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

/** Files of a folder, without what is below it: more is a hall in which nothing is found. */
const MAX_FILES = 20;

const checkout = resolve(import.meta.dirname, '..');
const SERVER = 'packages/server/src';
const isTest = (path: string) => /\.(?:test|fixture)\.ts$|^packages\/\w+\/test\//.test(path);
const sources = globSync('packages/**/*.ts', { cwd: checkout, exclude: ['**/node_modules'] })
  .filter((path) => !isTest(path))
  .sort();

/** What a file imports of ours when it is loaded, and as types. What it imports when it is needed is no part of a circle. */
function importsOf(path: string): string[] {
  const text = readFileSync(join(checkout, path), 'utf8');
  return [...text.matchAll(/^(?:import|export)\b[^;]*? from '(\.[^']+)'/gm)].map(([, to = '']) =>
    join(dirname(path), to),
  );
}

const imports = new Map(sources.map((path) => [path, importsOf(path)]));

test('no file imports itself in a circle', () => {
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    assert.ok(!way.includes(path), [...way.slice(way.indexOf(path)), path].join(' → '));
    if (done.has(path)) return;
    for (const next of imports.get(path) ?? []) visit(next, [...way, path]);
    done.add(path);
  };
  for (const path of sources) visit(path, []);
});

test('folders of the server are imported through their index', () => {
  const inner = [...imports].flatMap(([path, all]) =>
    all
      .filter((to) => to.startsWith(`${SERVER}/`) && basename(to) !== 'index.ts')
      // Its own folder, and those that it lies in, are open to a file.
      .filter((to) => !`${dirname(path)}/`.startsWith(`${dirname(to)}/`))
      .map((to) => `${path} imports ${to}`),
  );
  assert.deepEqual(inner, []);
});

test('nothing but serve.ts stands on the API', () => {
  const api = `${SERVER}/api/`;
  const users = [...imports].filter(
    ([path, all]) => !path.startsWith(api) && all.some((to) => to.startsWith(api)),
  );
  assert.deepEqual(
    users.map(([path]) => path),
    [`${SERVER}/serve.ts`],
  );
});

test('what a role may is told by access/ alone', () => {
  const elsewhere = sources
    .filter((path) => path.startsWith(`${SERVER}/`) && dirname(path) !== `${SERVER}/access`)
    .filter((path) => /\bisAdministrator\(|\.role\b/.test(readFileSync(join(checkout, path), 'utf8')));
  assert.deepEqual(elsewhere, []);
});

test('a table is touched by the domain that declares it alone', () => {
  const domainOf = (path: string) => path.slice(SERVER.length + 1).split('/')[0];
  const text = (path: string) => readFileSync(join(checkout, path), 'utf8');
  const all = sources.filter((path) => path.startsWith(`${SERVER}/`));
  const owners = new Map(
    all
      .filter((path) => basename(path) === 'tables.ts')
      .flatMap((path) =>
        [...text(path).matchAll(/createTable\('(\w+)'\)/g)].map(([, table]) => [table, domainOf(path)]),
      ),
  );
  assert.ok(owners.size >= 10, 'tables are found');
  const touch = /(?:selectFrom|insertInto|updateTable|deleteFrom|Join)\(\s*'(\w+)/g;
  const foreign = all.flatMap((path) =>
    [...text(path).matchAll(touch)]
      .filter(([, table]) => owners.get(table) !== domainOf(path))
      .map(([, table]) => `${path}: ${table}`),
  );
  assert.deepEqual(foreign, []);
});

test('each folder of the server says at its top what it is for', () => {
  const folders = new Set(sources.filter((path) => path.startsWith(`${SERVER}/`)).map(dirname));
  folders.delete(SERVER);
  const silent = [...folders].filter(
    (folder) =>
      !imports.has(`${folder}/index.ts`) ||
      !/^\/\*\*/.test(readFileSync(join(checkout, folder, 'index.ts'), 'utf8')),
  );
  assert.deepEqual(silent, []);
});

test('one file of each folder of the command line says first what the folder is for', () => {
  const cli = 'packages/cli/src';
  // What stands in its `commands/`, `words/categories.ts` tells.
  const own = sources.filter((path) => path.startsWith(`${cli}/`) && !path.startsWith(`${cli}/commands/`));
  for (const [folder, files] of Map.groupBy(own, dirname)) {
    const first = `/**\n * Folder \`${folder === cli ? 'cli/src' : folder.slice(cli.length + 1)}/\`: `;
    const saying = files.filter((path) => readFileSync(join(checkout, path), 'utf8').startsWith(first));
    assert.equal(saying.length, 1, `${folder}: ${saying.join(' ')}`);
  }
});

test('a package imports only those that it stands on', () => {
  const floors: Record<string, string[]> = {
    contract: [],
    client: ['contract'],
    cli: ['client', 'contract'],
    server: ['contract'],
  };
  const wrong = sources.flatMap((path) => {
    const [, own = ''] = path.split('/');
    const text = readFileSync(join(checkout, path), 'utf8');
    const named = [...text.matchAll(/^(?:import|export)\b[^;]*? from '@walt\/(\w+)/gm)].map(
      ([, to = '']) => to,
    );
    const reached = (imports.get(path) ?? []).filter(
      (to) => to !== 'package.json' && !to.startsWith(`packages/${own}/`),
    );
    return [...named.filter((to) => !floors[own]?.includes(to)), ...reached].map((to) => `${path} → ${to}`);
  });
  assert.deepEqual(wrong, []);
});

test('no folder is a hall', () => {
  const folders = Map.groupBy(sources, dirname);
  const halls = [...folders].filter(([, files]) => files.length > MAX_FILES).map(([folder]) => folder);
  assert.deepEqual(halls, []);
});
