/**
 * `walt image build` with a warm cache against a bare `buildah build` of the same folder: two stages of 14 steps and 400 files of 20 MB
 * in all, none of which has changed since the build before. A second pair of rows changes one file before each build, so that the last
 * step runs again; WalT then also saves the new layer and makes what nodes need to boot the image. usage: image-build.ts [--runs N] [--json]
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../packages/server/src/platform/index.ts';
import { Platform } from '../test/platform.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const FILES = 400;
const FILE_BYTES = 50_000;

const { runs, json } = benchOptions(7);
await using platform = await Platform.start({ image: false });
const { root } = platform;
const scratch = await mkdtemp(join(process.env.TMPDIR ?? '/var/tmp', 'walt-bench-'));
const [base, sources] = [join(scratch, 'base'), join(scratch, 'sources')];
const globals = [
  '--root',
  join(scratch, 'store'),
  '--runroot',
  join(scratch, 'run'),
  '--storage-driver',
  'overlay',
];

const times: Record<'bare' | 'walt' | 'bareChanged' | 'waltChanged', number[]> = {
  ...{ bare: [], walt: [], bareChanged: [], waltChanged: [] },
};
try {
  await writeSources();
  await bare(base, 'base');
  await walt(base, 'base');
  progress('filling both caches');
  await bare(sources, 'program');
  await walt(sources, 'program');
  for (let turn = 0; turn < runs; turn += 1) {
    times.bare.push(await seconds(() => bare(sources, 'program')));
    times.walt.push(await seconds(() => walt(sources, 'program')));
    progress(
      `run ${turn + 1}: bare ${times.bare.at(-1)?.toFixed(2)} s, walt ${times.walt.at(-1)?.toFixed(2)} s`,
    );
  }
  progress('the same with one file changed');
  for (let turn = 0; turn < runs; turn += 1) {
    await writeFile(join(sources, 'settings'), `turn ${turn}\n`);
    times.bareChanged.push(await seconds(() => bare(sources, 'program')));
    times.waltChanged.push(await seconds(() => walt(sources, 'program')));
  }
} finally {
  await attempt(['umount', '--', join(scratch, 'store', 'overlay')]);
  await rm(scratch, { recursive: true, force: true });
}

const [before, after] = [summarize(times.bare), summarize(times.walt)];
conclude(
  {
    bench: 'image-build',
    measures: [
      { what: 'buildah build, nothing changed', unit: 's', ...before },
      { what: 'walt image build, nothing changed', unit: 's', ...after },
      { what: 'buildah build, one file changed', unit: 's', ...summarize(times.bareChanged) },
      { what: 'walt image build, one file changed', unit: 's', ...summarize(times.waltChanged) },
    ],
    bounds: [
      {
        claim: 'nothing changed, walt image build : buildah build',
        value: after.median / before.median,
        limit: 1.2,
      },
    ],
  },
  json,
);

async function seconds(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return (performance.now() - start) / 1000;
}

/** What a user without WalT would type. Steps run without a network: buildah would change the machine's own. */
async function bare(folder: string, tag: string): Promise<void> {
  await run(['buildah', ...globals, 'build', '--layers', '--network', 'none', '--tag', tag, folder]);
}

async function walt(folder: string, name: string): Promise<void> {
  await root.ok('image', 'build', name, '--from-dir', folder);
}

async function writeSources(): Promise<void> {
  await mkdir(base);
  await copyFile('/bin/busybox', join(base, 'busybox'));
  const install = 'RUN ["/bin/busybox", "--install", "-s", "/bin"]';
  await writeFile(join(base, 'Containerfile'), `FROM scratch\nCOPY busybox /bin/\n${install}\n`);
  for (let index = 0; index < FILES; index += 1) {
    const folder = join(sources, 'src', `part${index % 20}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `file${index}`), randomBytes(FILE_BYTES));
  }
  await writeFile(join(sources, 'settings'), 'first\n');
  const steps = [
    'FROM base AS made',
    'ARG MODE=release',
    'WORKDIR /made',
    'RUN mkdir -p /out',
    'COPY src /made/src',
    'RUN echo "$MODE" > /out/mode',
    'RUN cat src/part*/file* > /out/program',
    'RUN sha256sum /out/program > /out/sum',
    'FROM base',
    'ENV MODE=release',
    'RUN mkdir -p /srv /etc/program',
    'COPY --from=made /out /srv',
    'RUN sha256sum /srv/program > /etc/program/sum',
    'COPY settings /etc/program/settings',
  ];
  await writeFile(join(sources, 'Containerfile'), `${steps.join('\n')}\n`);
}
