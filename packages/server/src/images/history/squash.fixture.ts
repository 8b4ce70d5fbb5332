/** A server that squashes an image and is killed before a name points to the result: `squash.fixture.ts FOLDER IMAGE`. */
import { openPlatform } from '../../../test/platform.ts';

const [folder = '', name = ''] = process.argv.slice(2);
const { images } = await openPlatform(folder, {
  async prepareBoot() {
    process.kill(process.pid, 'SIGKILL');
    throw new Error('killed');
  },
});
const image = await images.get('ann', name);
const squashing = images.squash('ann', image, image, { digest: image.digest }, new AbortController().signal);
while (!(await squashing.next()).done);
