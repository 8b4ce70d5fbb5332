import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadConfig } from './config.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-config-'));
});
after(() => rm(folder, { recursive: true }));

async function load(text: string) {
  const file = join(folder, 'server.conf');
  await writeFile(file, text);
  return loadConfig(file);
}

const lab = 'label: lab, kind: docker-registry-v2';

test('registries have what they leave out', async () => {
  assert.deepEqual((await load('')).registries, [
    {
      ...{ label: 'hub', kind: 'docker-hub', description: 'Docker Hub' },
      ...{ host: 'docker.io', protocol: 'https', ca: undefined, otherHosts: [] },
    },
  ]);
  assert.deepEqual((await load('registries: []')).registries, []);
  assert.deepEqual(
    (await load(`registries: [{ ${lab}, host: "lab.example:5000", ca: /etc/walt/lab.crt }]`)).registries,
    [
      {
        ...{ label: 'lab', kind: 'docker-registry-v2', description: '' },
        ...{ host: 'lab.example:5000', protocol: 'https', ca: '/etc/walt/lab.crt', otherHosts: [] },
      },
    ],
  );
});

const refused: [text: string, message: RegExp][] = [
  ['registries: [{ label: lab }]', /registries\.0\.kind/],
  [`registries: [{ ${lab} }]`, /registries\.0\.host/],
  [`registries: [{ ${lab}, host: "https://lab" }]`, /registries\.0\.host: must be a host name/],
  [`registries: [{ ${lab}, host: "-lab" }]`, /registries\.0\.host: must be a host name/],
  [`registries: [{ ${lab}, host: lab, ca: lab.crt }]`, /registries\.0\.ca: must be an absolute path/],
  [`registries: [{ ${lab}, host: lab, protocol: ftp }]`, /registries\.0\.protocol/],
  [
    `registries: [{ ${lab}, host: lab, other-hosts: ["https://x"] }]`,
    /registries\.0\.other-hosts\.0: must be a host/,
  ],
  [`registries: [{ ${lab}, host: lab, password: x }]`, /registries\.0: .*password/],
  ['registries: [{ label: walt, kind: docker-hub }]', /registries\.0\.label: must not be "walt"/],
  [
    `registries: [{ ${lab}, host: a }, { ${lab}, host: b }]`,
    /registries: two registries have the same label/,
  ],
  [
    `registries: [{ ${lab}, host: a }, { label: b, kind: docker-registry-v2, host: a }]`,
    /two registries have the same host/,
  ],
];

for (const [text, message] of refused) {
  test(`refuses ${text}`, async () => {
    await assert.rejects(load(text), { code: 'INVALID', message });
  });
}

test('how long older versions of images stay', async () => {
  assert.deepEqual((await load('')).images, { versions: 10, days: 7 });
  assert.deepEqual((await load('images: { keep-days: 0.5 }')).images, { versions: 10, days: 0.5 });
  for (const bad of ['keep-versions: -1', 'keep-versions: 1.5', 'keep-days: week', 'keep: 1']) {
    await assert.rejects(load(`images: { ${bad} }`), { code: 'INVALID', message: /images/ }, bad);
  }
});
