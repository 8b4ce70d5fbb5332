import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kexecLeave } from './kexec.ts';

const pc1 = {
  ...{ name: 'pc1', type: 'physical', model: 'pc-x86-64', digest: `sha256:${'d'.repeat(64)}`, settings: {} },
  ...{ generation: 3, served_generation: 2, hard: 0, image_owner: 'alice', boot_owner: 'alice' },
};
const { name, model, digest } = pc1;

const cases: [
  what: string,
  change: Partial<Parameters<typeof kexecLeave>[0]>,
  ReturnType<typeof kexecLeave>,
][] = [
  ['a node that was ordered to boot may', {}, { node: { name, model, digest } }],
  ['a virtual one has a new machine', { type: 'virtual' }, 'unwanted'],
  ['its setting says no', { settings: { 'kexec.allow': 'false' } }, 'unwanted'],
  ['nobody ordered it', { served_generation: 3 }, 'unwanted'],
  ['its image is gone', { digest: null }, 'unwanted'],
  ['its power was to be cut', { hard: 1 }, { refusal: 'its power was to be cut' }],
  ['it goes to another owner', { image_owner: 'bob' }, { refusal: 'it changes hands' }],
];
for (const [what, change, leave] of cases) {
  test(`boots by kexec: ${what}`, () => assert.deepEqual(kexecLeave({ ...pc1, ...change }), leave));
}
