import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLATFORM_OWNER } from '@walt/contract';
import {
  addTiny,
  closePlatform,
  destroyPlatform,
  openPlatform,
  result,
  temporaryFolder,
  tinyRoot,
} from '../../test/platform.ts';
import { defaultImageName } from './architectures.ts';
import type { PrepareBoot } from './types.ts';

/** As for an image without a kernel: it boots that of the default image, where there is one. */
const borrowing: PrepareBoot = async ({ config, withLender }) => {
  const kernel = await withLender(async ({ digest }) => `of ${digest.slice(0, 20)}`);
  const lends = ['kernel' as const];
  const models = [...config.entrypoint, ...config.env.filter((pair) => pair.startsWith('A='))];
  return { kernel: kernel ?? null, bootPlan: kernel === undefined ? null : 'volumes', models, lends };
};

test('an image that waits for somebody who lends gets it from the next default image', async () => {
  let platform = await openPlatform(await temporaryFolder(), { prepareBoot: borrowing });
  try {
    assert.equal((await addTiny(platform)).kernel, null);
    const source = { tar: await tinyRoot(platform.folder, 'lender'), architecture: 'amd64' as const };
    const target = { owner: PLATFORM_OWNER, name: defaultImageName('amd64') };
    const changes = ['ENTRYPOINT ["/run me"]', 'ENV A="b c"'];
    const { digest, models } = await result(
      platform.images.importTar('root', { ...source, changes }, target, false),
    );
    assert.deepEqual(models, ['/run me', 'A=b c'], 'the configuration of the image is told');
    await closePlatform(platform); // waits for what runs in the background, next time too

    platform = await openPlatform(platform.folder, { prepareBoot: borrowing });
    await closePlatform(platform);
    platform = await openPlatform(platform.folder, { prepareBoot: borrowing });
    const waited = await platform.images.get('ann', 'tiny');
    assert.deepEqual([waited.kernel, waited.lends], [`of ${digest.slice(0, 20)}`, ['kernel']]);
  } finally {
    await destroyPlatform(platform);
  }
});

test('what an older server prepared otherwise is prepared anew when a server starts', async () => {
  const prepared: string[] = [];
  const prepareBoot: PrepareBoot = async (image) => {
    prepared.push(image.digest);
    return { kernel: `${prepared.length}`, bootPlan: 'volumes', models: [], lends: [] };
  };
  let platform = await openPlatform(await temporaryFolder(), { prepareBoot });
  try {
    const { digest } = await addTiny(platform);
    await closePlatform(platform);
    platform = await openPlatform(platform.folder, { prepareBoot });
    await closePlatform(platform);
    assert.deepEqual(prepared, [digest]);
    platform = await openPlatform(platform.folder, { prepareBoot, hasBootFiles: async () => false });
    await closePlatform(platform);
    platform = await openPlatform(platform.folder, { prepareBoot });
    assert.deepEqual(prepared, [digest, digest]);
    assert.equal((await platform.images.get('ann', 'tiny')).kernel, '2');
  } finally {
    await destroyPlatform(platform);
  }
});
