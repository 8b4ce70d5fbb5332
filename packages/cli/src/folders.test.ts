import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const files = globSync('**/*.ts', { cwd: import.meta.dirname }).sort();
/** Of these, `words/categories.ts` tells it. */
const isCommands = (folder: string) => folder === 'commands' || folder.startsWith('commands/');

for (const [folder, own] of Map.groupBy(files, dirname)) {
  if (folder === '.' || isCommands(folder)) continue;
  test(`one file of ${folder}/ says first what the folder is for`, () => {
    const saying = own.filter((file) =>
      readFileSync(join(import.meta.dirname, file), 'utf8').startsWith(`/**\n * Folder \`${folder}/\`: `),
    );
    assert.equal(saying.length, 1, saying.join(' '));
  });
}
