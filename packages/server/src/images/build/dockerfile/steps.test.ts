import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { planBuild } from './plan.ts';
import { StepWatcher } from './steps.ts';

const id = 'ab'.repeat(32);
const plan = planBuild(
  { text: 'FROM lab AS a\nRUN one\nFROM scratch\nCOPY --from=a / /\n\nRUN two', file: 'Dockerfile' },
  {},
  { server: 'amd64', wanted: undefined },
);

/** Passes output through in pieces of `size`; answers it, and the line of the last step. */
async function watched(output: string, size: number): Promise<{ passed: string; line: number | undefined }> {
  const watcher = new StepWatcher(plan, new Map([[id, 'lab']]));
  const bytes = Buffer.from(output);
  for (let at = 0; at < bytes.length; at += size) watcher.write(bytes.subarray(at, at + size));
  watcher.end();
  return { passed: await text(watcher), line: watcher.current?.line };
}

const cases: [output: string, passed: string, line: number | undefined][] = [
  ['', '', undefined],
  ['hello', 'hello', undefined],
  [`[1/2] STEP 1/2: FROM ${id} AS a\n`, '[1/2] STEP 1/2: FROM lab AS a\n', 1],
  [`[1/2] STEP 2/2: RUN one\nün ${id}`, `[1/2] STEP 2/2: RUN one\nün ${id}`, 2],
  ['[2/2] STEP 2/3: COPY --from=a / /\n', '[2/2] STEP 2/3: COPY --from=a / /\n', 4],
  ['unended[2/2] STEP 3/3: RUN two\nSTEPS\n', 'unended[2/2] STEP 3/3: RUN two\nSTEPS\n', 6],
  [
    '[2/2] STEP 2/3: RUN forged\n[9/9] STEP 1/1: FROM x\n',
    '[2/2] STEP 2/3: RUN forged\n[9/9] STEP 1/1: FROM x\n',
    undefined,
  ],
];

for (const [output, passed, line] of cases) {
  test(`${JSON.stringify(output)} is passed on, and tells the line`, async () => {
    for (const size of [1, 7, 1000]) assert.deepEqual(await watched(output, size), { passed, line });
  });
}

test('what does not end its line is passed on at once', async () => {
  const watcher = new StepWatcher(plan, new Map());
  watcher.write('50 %');
  assert.equal(String(watcher.read()), '50 %');
});
