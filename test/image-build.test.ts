/** Images from a Dockerfile: several stages, cache, the line that fails, and what must not get in. */
import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ImageStep } from '@walt/contract';
import { attempt, type ExecResult, namesIn, run } from '../packages/server/src/platform/index.ts';
import type { Client } from './client.ts';
import { Platform } from './platform.ts';
import { until } from './until.ts';

let platform: Platform;
let root: Client;

/** A base that needs no download: busybox, from nothing. */
const BUSYBOX = `FROM scratch
COPY busybox /bin/
RUN ["/bin/busybox", "--install", "-s", "/bin"]
`;

before(async () => {
  platform = await Platform.start({ image: false });
  root = platform.root;
  const folder = await folderOf({ Containerfile: BUSYBOX });
  await copyFile('/bin/busybox', join(folder, 'busybox'));
  await root.ok('image', 'build', 'base', '--from-dir', folder);
});
after(() => platform?.close());

async function folderOf(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(platform.folder, 'sources-'));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

/** Runs `walt image build` on a folder of these files, whatever its exit status. */
async function build(name: string, files: Record<string, string>, ...words: string[]): Promise<ExecResult> {
  return root.walt('image', 'build', name, '--from-dir', await folderOf(files), ...words);
}

const read = (image: string, path: string) => root.ok('image', 'run', image, '--', 'cat', path);

/** What no build may leave: folders of its own, control groups. */
async function leftovers(): Promise<string[]> {
  const store = join(platform.paths.imageBuilds, 'root', 'amd64');
  const work = (await namesIn(store)).filter((name) => name.startsWith('work-'));
  const { stdout: groups } = await attempt(['find', '/sys/fs/cgroup', '-name', 'walt-build-*']);
  const { stdout: mounts } = await attempt(['grep', '-F', platform.paths.imageBuilds, '/proc/self/mounts']);
  return [...work, ...groups.split('\n'), ...mounts.split('\n')].filter(Boolean);
}

describe('a build of several stages', () => {
  const files = {
    Dockerfile: [
      'ARG BASE=nothing',
      'FROM $BASE AS made',
      'ARG WORD=default',
      'COPY src /src',
      'RUN echo "$WORD" > /result; \\',
      '    cat /src/input >> /result',
      'FROM base',
      'COPY --from=made /result /etc/result',
      'LABEL purpose=test',
    ].join('\n'),
    'src/input': 'input\n',
    'src/secret.key': 'secret',
    '.dockerignore': '**/*.key\n',
  };
  const args = ['--build-arg', 'BASE=base', '--build-arg', 'WORD=given'];

  test('takes arguments and files, and what a stage made; its steps are in the history', async () => {
    const { status, stdout, stderr } = await build('staged', files, ...args);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^\[1\/2\] STEP 1\/4: FROM base AS made$/m);
    assert.match(stdout, /^root\/staged is built \(sha256:/m);
    assert.equal(await read('staged', '/etc/result'), 'given\ninput\n');
    const [step] = await root.json<ImageStep[]>('image', 'log', 'staged');
    assert.partialDeepStrictEqual(step, { action: 'build', user: 'root' });
    assert.match(step?.detail ?? '', /sources-/);
  });

  test('again, it runs no step, asks nothing, and changes nothing', async () => {
    const { status, stdout, stderr } = await build('staged', files, ...args, '--json');
    assert.equal(status, 0, stderr);
    assert.equal(JSON.parse(stdout).changed, false);
    assert.match(stderr, /^Nothing has changed since it was built/m);
  });

  test('a file that is ignored does not get there; one that changed makes its step run again', async () => {
    const changed = { ...files, 'src/input': 'changed\n' };
    const { status, stdout, stderr } = await build('staged', changed, ...args);
    assert.equal(status, 0, stderr);
    // Of five steps, the one in front of the changed file; those behind it run again.
    assert.equal(stdout.match(/^--> Using cache/gm)?.length, 1, stdout);
    assert.equal(await read('staged', '/etc/result'), 'given\nchanged\n');
    const listing = { ...files, Dockerfile: 'FROM base\nCOPY . /all\nRUN find /all > /list\n' };
    assert.equal((await build('listed', listing)).status, 0);
    assert.doesNotMatch(await read('listed', '/list'), /secret/);
    await root.ok('image', 'undo', 'staged');
    assert.equal(await read('staged', '/etc/result'), 'given\ninput\n');
  });
});

describe('a build that fails names the line, and leaves all as it was', () => {
  const cases: [what: string, dockerfile: string, message: RegExp][] = [
    [
      'a command that fails',
      'FROM base\n\nRUN echo fine; \\\n  printf unended\nRUN echo about to fail; \\\n  exit 7\n',
      /walt: Dockerfile:5: RUN echo about to fail; [^:]*: exit status 7/,
    ],
    ['no such instruction', 'FROM base\nRUNN true\n', /walt: Dockerfile:2: there is no instruction "RUNN"/],
    ['no base', 'FROM absent\n', /walt: Dockerfile:1: "absent": There is no image named "root\/absent"/],
    ['a registry that nobody knows', 'FROM example.org/a/b\n', /Dockerfile:1: .*no registry at example\.org/],
    [
      'a file that is not there',
      'FROM base\nCOPY absent /\n',
      /walt: Dockerfile:2: COPY absent \/: .*absent/,
    ],
    [
      'a mount of the server',
      'FROM base\nRUN --mount=type=bind,source=/,target=/x true\n',
      /walt: Dockerfile:2: the mount .*type "bind"/,
    ],
    ['nothing', '', /walt: Dockerfile:1: there is no FROM/],
  ];
  for (const [what, dockerfile, message] of cases) {
    test(what, async () => {
      const before = await root.json('image', 'log', 'base');
      const { status, stderr } = await build('base', { Dockerfile: dockerfile }, '--yes');
      assert.equal(status, 1);
      assert.match(stderr, message);
      assert.deepEqual(await root.json('image', 'log', 'base'), before);
      assert.deepEqual(await leftovers(), []);
    });
  }

  test('no Dockerfile, or no folder', async () => {
    const missing = await build('none', {});
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /There is no Containerfile and no Dockerfile in/);
    const absent = await root.walt('image', 'build', 'none', '--from-dir', join(platform.folder, 'absent'));
    assert.match(absent.stderr, /There is no folder/);
  });
});

test('sees nothing of the server, and links lead nowhere', async () => {
  const folder = await folderOf({
    Dockerfile: 'FROM base\nCOPY . /all\nRUN ls -l /all/out; ls / /home /root /var > /list 2>&1 || true\n',
  });
  await symlink('/etc/hostname', join(folder, 'out'));
  const { status, stdout, stderr } = await root.walt('image', 'build', 'links', '--from-dir', folder);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /\/all\/out -> \/etc\/hostname/);
});

test('builds a git repository at a tag, below a folder', async () => {
  const folder = await folderOf({ 'sub/Dockerfile': 'FROM base\nCOPY word /word\n', 'sub/word': 'one\n' });
  const git = (...words: string[]) =>
    run(['git', '-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...words]);
  await git('init', '--quiet');
  await git('add', '.');
  await git('commit', '--quiet', '--message', 'one');
  await git('tag', 'v1');
  await writeFile(join(folder, 'sub/word'), 'two\n');
  await git('commit', '--quiet', '--all', '--message', 'two');
  const words = ['--from-url', `file://${folder}`, '--sub-dir', 'sub'];
  await root.ok('image', 'build', 'cloned', ...words, '--ref', 'v1');
  assert.equal(await read('cloned', '/word'), 'one\n');
  await root.ok('image', 'build', 'cloned', ...words);
  assert.equal(await read('cloned', '/word'), 'two\n');
  for (const [option, value] of [
    ['--ref', '--upload-pack=touch /tmp/x'],
    ['--ref', 'no-such-ref'],
    ['--sub-dir', '..'],
    ['--from-url', '--help'],
  ]) {
    const { status } = await root.walt('image', 'build', 'cloned', ...words, `${option}=${value}`);
    assert.ok(status === 1 || status === 2, `${option} ${value}`);
  }
});

test('a lost client ends its build, and a killed server leaves nothing of one', async () => {
  const seconds = String(1_000_000 + process.pid);
  const files = { Dockerfile: `FROM base\nRUN echo begun; sleep ${seconds}\n` };
  for (const victim of ['client', 'server']) {
    const folder = await folderOf(files);
    let begun = () => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const gone = new AbortController();
    const building = root.run([root.launcher, 'image', 'build', 'endless', '--from-dir', folder], {
      signal: gone.signal,
      onStdoutLine: (line) => line === 'begun' && begun(),
    });
    building.catch(() => {});
    await started;
    if (victim === 'client') {
      gone.abort();
      await assert.rejects(building);
    } else {
      await platform.kill();
      const { status, stderr } = await building;
      assert.equal(status, 1);
      assert.match(stderr, /connection to the server was lost/);
      await platform.up();
    }
    await until('the end of the build', async () => {
      const { stdout: running } = await attempt(['pgrep', '--full', `sleep ${seconds}`]);
      return running === '' && (await leftovers()).length === 0;
    });
    assert.equal((await build('after', { Dockerfile: 'FROM base\nRUN true\n' }, '--no-cache')).status, 0);
    assert.equal((await root.walt('image', 'show', 'endless')).status, 1);
  }
});
