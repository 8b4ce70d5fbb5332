import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, mock, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { closePlatform, openPlatform, type Platform, temporaryFolder } from '../../../test/platform.ts';
import { attempt } from '../../platform/index.ts';
import { haltImages } from '../halt.ts';
import { PodmanApi } from './podman-api.ts';
import { Store } from './store.ts';

let platform: Platform;
let store: Store;
let api: PodmanApi;

before(async () => {
  platform = await openPlatform(await temporaryFolder());
  // Its own service ends with it.
  await closePlatform(platform);
  store = await Store.open(platform.paths, (argv) => [...argv]);
  api = new PodmanApi(platform.paths, store, 1);
});

after(async () => {
  await api.close();
  await haltImages(platform.paths);
  await rm(platform.folder, { recursive: true });
});

async function services(): Promise<string[]> {
  const { stdout } = await attempt(['pgrep', '--full', '--', `unix://${platform.paths.podmanSocket}`]);
  return stdout.split('\n').filter((pid) => pid !== '');
}

test('requests that come as the idle service ends find the next one; in the end none is left', async () => {
  const starts = mock.method(store, 'podman');
  for (let pause = 0; pause < 5 || starts.mock.callCount() < 2; pause++) {
    assert.ok(await api.call('GET', '/containers/json'));
    await delay(pause);
  }
  while ((await services()).length > 0) await delay(20);
});

test('who asks when all has ended starts no service', async () => {
  const late = new PodmanApi(platform.paths, store);
  await late.call('GET', '/containers/json');
  await late.close();
  const starts = mock.method(store, 'podman');
  await assert.rejects(late.call('GET', '/containers/json'), /podman failed .*the server ends/);
  assert.equal(starts.mock.callCount(), 0);
});
