import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { pack } from 'tar-stream';
import { addTiny, destroyPlatform, openPlatform, type Platform, temporaryFolder } from '../images.fixture.ts';

let platform: Platform;
before(async () => {
  platform = await openPlatform(await temporaryFolder());
  await addTiny(platform);
});
after(() => destroyPlatform(platform));

function tarOf(files: Record<string, string>): Readable {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content);
  tar.finalize();
  return Readable.from(tar);
}

test('x', async () => {
  const { images } = platform;
  for (const run of [1, 2]) {
    const ticket = await images.builds.prepare({
      user: 'ann',
      target: { owner: 'ann', name: 'made' },
      dockerfile: {
        text: 'FROM tiny\nRUN echo hi > /made; cat /etc/resolv.conf; ls /sys/class/net\nCOPY d /d\nRUN cat /d\n',
        file: 'Dockerfile',
      },
      args: {},
      architecture: undefined,
      cache: true,
      source: '',
    });
    let out = '';
    const t = performance.now();
    await images.builds.run('ann', ticket, {
      sources: () => tarOf({ d: 'data' }),
      output: async (_to, stream) => {
        out += await text(stream);
      },
      progress: (p) => console.log(p, performance.now() - t),
      saved: async (image, changed) => console.log(image, changed),
      signal: new AbortController().signal,
    });
    console.log(out, performance.now() - t);
  }
});
