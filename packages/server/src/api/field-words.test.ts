import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contract, imageFiles, streams } from '@walt/contract';
import * as z from 'zod';
import { isUserError } from '../platform/index.ts';
import { invalidInput } from './errors.ts';
import { hasWords } from './field-words.ts';

/** All inputs of the contract: of calls, and in the addresses of streams and files. */
function inputs(): [where: string, schema: z.ZodType][] {
  const found: [string, z.ZodType][] = [];
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    const call = (value as { '~orpc'?: { inputSchema?: unknown } })['~orpc'];
    if (call === undefined) {
      for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`);
    } else if (call.inputSchema instanceof z.ZodType) found.push([path, call.inputSchema]);
  };
  walk(contract, '');
  for (const [name, stream] of Object.entries(streams)) found.push([name, stream.query]);
  found.push(['imageFiles', imageFiles.query]);
  return found;
}

test('no field of the contract reaches users by its own name', () => {
  const all = inputs();
  assert.ok(all.length > 40, String(all.length));
  for (const [where, schema] of all) {
    // Of an empty object, each field that is wanted is missing; of wrong ones, each has the wrong type.
    const { properties = {} } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    for (const field of Object.keys(properties)) {
      assert.ok(hasWords(field), `${where}: ${field}`);
      const wrong = schema.safeParse({ [field]: Symbol('nothing') });
      if (wrong.success) continue;
      const issue = wrong.error.issues.find(({ path }) => path[0] === field);
      if (!issue) continue;
      const error = invalidInput([issue], {});
      assert.ok(isUserError(error));
      assert.doesNotMatch(error.message, /\b[a-z]+[A-Z]\w*\b/, `${where}: ${error.message}`);
    }
  }
});

test('what was given is told in words of the command line', () => {
  const told = (path: PropertyKey[], input: unknown, message: string) =>
    invalidInput([{ path, message }], input).message;
  const rule = 'must be lower-case';
  assert.equal(
    told(['saveAs'], { saveAs: 'root/hbase' }, rule),
    'The name of the new image "root/hbase" must be lower-case.',
  );
  assert.equal(told(['newName'], { newName: 'X' }, rule), 'The new name "X" must be lower-case.');
  assert.equal(
    told(['paths', 1], { paths: ['/a', 'b'] }, 'must be absolute'),
    'The path "b" must be absolute.',
  );
  assert.equal(
    told(['password'], { password: 'secret' }, 'too long'),
    'The password is not valid: too long.',
  );
  assert.equal(told([], 7, 'expected object'), 'The input 7 is not valid: expected object.');
});
