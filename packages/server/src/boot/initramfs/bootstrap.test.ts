import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exampleTarget } from '../example-target.ts';
import { bootstrapDocument } from './bootstrap.ts';

test('layers come top first, the platform layer above the image', () => {
  assert.equal(
    bootstrapDocument(exampleTarget, 1_750_000_000.7),
    `name=vnode1
time=1750000000
generation=3
token=Zm9vYmFy
volumes=10.73.0.1:/volumes
layer=platform-0123456789abcdef.erofs
layer=sha256-${'2'.repeat(64)}.erofs
layer=sha256-${'1'.repeat(64)}.erofs
persist=10.73.0.1:/persist/12
hybrid=b7573f7e992ad2723d63f800280e29f8 62b4fcadfec2a423052fabe6f6452e75 ${'d'.repeat(64)}
`,
  );
});

test('a node that may leave walt-net is told the way', () => {
  assert.match(bootstrapDocument({ ...exampleTarget, nat: true }, 0), /^gateway=10\.73\.0\.1$/m);
});

test('a node that is to have no /persist hears of none', () => {
  assert.doesNotMatch(bootstrapDocument({ ...exampleTarget, persist: null }, 0), /persist/);
});

test('what is kept on a disk is of one platform, one holder of the node and one image', () => {
  const marks = (target = exampleTarget) =>
    /^hybrid=(.*) (.*) (.*)$/m.exec(bootstrapDocument(target, 0))?.slice(1) ?? [];
  const [platform, holder, image] = marks();
  const { identity } = exampleTarget;
  const elsewhere = { ...exampleTarget, identity: { ...identity, userCa: 'ssh-ed25519 BBBB walt' } };
  assert.deepEqual(marks(elsewhere), [marks(elsewhere)[0], holder, image]);
  assert.notEqual(marks(elsewhere)[0], platform);
  const next = marks({ ...exampleTarget, token: 'other', name: 'renamed', generation: 9 });
  assert.deepEqual(next, [platform, next[1], image]);
  assert.notEqual(next[1], holder);
  assert.ok(!marks().join().includes(exampleTarget.token));
  for (const disk of ['use', 'skip'] as const)
    assert.match(bootstrapDocument({ ...exampleTarget, disk }, 0), new RegExp(`^disk=${disk}$`, 'm'));
});

test('what an image is lent lies between the platform layer and its own layers, and is named', () => {
  const volumes = ['lent-tools-0123456789abcdef.erofs', 'lent-modules-0123456789abcdef.erofs'];
  const document = bootstrapDocument(exampleTarget, 0, {
    lends: ['kernel', 'init', 'ssh'],
    loan: { volumes, files: [] },
  });
  const layers = [...document.matchAll(/^layer=(.*)\.erofs$/gm)].map(([, name]) => name);
  assert.deepEqual(layers, [
    ...['platform-0123456789abcdef', 'lent-tools-0123456789abcdef', 'lent-modules-0123456789abcdef'],
    ...[`sha256-${'2'.repeat(64)}`, `sha256-${'1'.repeat(64)}`],
  ]);
  assert.match(document, /\nstart=\/usr\/lib\/walt\/bin\/start\ninit=\/usr\/lib\/walt\/bin\/init\n$/);
});
