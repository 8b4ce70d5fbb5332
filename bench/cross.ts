/** `walt image cross`: a C project built for an arm64 image, against a native build of it and a build under emulation. */
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ensureToolchain, toolchainTar } from '../packages/server/src/images/cross/toolchain.ts';
import { readAptSetup } from '../packages/server/src/images/recipes/apt-sources.ts';
import { loadConfig, run } from '../packages/server/src/platform/index.ts';
import { defaultTar } from '../test/default-tar.ts';
import { Platform } from '../test/platform.ts';
import { benchOptions, progress } from './options.ts';
import { writeProject } from './project.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const { runs, json } = benchOptions(3);
await using platform = await Platform.start({ image: false, ownCache: true });
const { root, folder } = platform;
const { cache } = platform.config;
await mkdir(cache, { recursive: true });

progress('making the toolchain and an arm64 image with a compiler of its own');
const task = {
  host: (argv: readonly string[]) => [...argv],
  ...{ signal: AbortSignal.timeout(1_800_000), report: () => {} },
};
const tar = await toolchainTar('arm64', { ...task, cache: (await loadConfig('/dev/null')).cache });
await symlink(tar, join(cache, basename(tar)));
await makeCompilerTar(await defaultTar('arm64', cache));
await root.ok('advanced', 'update-default-images', '--arch', 'arm64', '--if-missing');
await root.ok('image', 'duplicate', 'waltplatform/arm64-default', 'board');

const project = join(folder, 'project');
await writeProject(project);
await root.ok('image', 'cp', project, 'board:/root/project');
// A native build, by the same compilers: in the tree that builds use, without a container.
const toolchain = await ensureToolchain('arm64', platform.paths.toolchains, { ...task, cache });
await cp(project, join(toolchain, 'root/project'), { recursive: true });
await root.ok('image', 'cross', 'board', '--no-save', '--', 'true');

const times: Record<'native' | 'cross' | 'emulated', number[]> = { native: [], cross: [], emulated: [] };
for (let turn = 0; turn < runs; turn += 1) {
  times.native.push(await seconds(() => run(['chroot', toolchain, 'make', '-C', '/root/project'])));
  await run(['chroot', toolchain, 'make', '-C', '/root/project', 'clean']);
  times.cross.push(await seconds(() => crossBuild()));
  progress(
    `run ${turn + 1}: native ${times.native.at(-1)?.toFixed(1)} s, cross ${times.cross.at(-1)?.toFixed(1)} s`,
  );
}
progress('the same build under emulation, once');
times.emulated.push(await seconds(() => emulatedBuild()));

const [native, cross, emulated] = [
  summarize(times.native),
  summarize(times.cross),
  summarize(times.emulated),
];
conclude(
  {
    bench: 'cross',
    measures: [
      { what: 'native build', unit: 's', ...native },
      { what: 'walt image cross, arm64', unit: 's', ...cross },
      { what: 'under emulation, arm64', unit: 's', ...emulated },
    ],
    bounds: [
      { claim: 'walt image cross : native build', value: cross.median / native.median, limit: 1.3 },
      {
        claim: 'under emulation : walt image cross',
        value: emulated.median / cross.median,
        limit: 6,
        atLeast: true,
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

/** All that a user waits for: sources there, build, program back, saved. */
async function crossBuild(): Promise<void> {
  const line = 'make && mkdir -p $PREFIX/bin && cp program $PREFIX/bin/ && make clean';
  const argv = ['env', '--chdir', project, root.launcher, 'image', 'cross', 'board', '--', line];
  const { status, stderr } = await root.run(argv);
  if (status !== 0) throw new Error(`walt image cross failed: ${stderr}`);
}

async function emulatedBuild(): Promise<void> {
  const { stdout } = await root.run([root.launcher, 'image', 'shell', 'board', '--discard'], {
    input: 'make -C /root/project && echo built-"all"\nexit\n',
  });
  if (!stdout.includes('built-all')) throw new Error(`the emulated build failed: ${stdout.slice(-1000)}`);
}

/** Debian's compiler and make, unpacked and not configured: it runs, and nothing had to run to make it. */
async function makeCompilerTar(file: string): Promise<void> {
  const tree = `${file}.tree`;
  const { release } = await readAptSetup();
  const packages = ['bash', 'coreutils', 'dash', 'gcc', 'libc6-dev', 'make'];
  await run([
    ...['mmdebstrap', '--architectures=arm64', '--variant=extract', `--include=${packages.join(',')}`],
    ...['--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr', release, tree],
  ]);
  await mkdir(join(tree, 'root'), { recursive: true });
  await writeFile(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await run(['tar', '--create', '--numeric-owner', '--file', file, '--directory', tree, '.']);
}
