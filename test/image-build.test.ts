// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of a Dockerfile
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

/** What no build may leave of this platform: folders of its own, mounts. */
async function leftovers(): Promise<string[]> {
  const store = join(platform.paths.imageBuilds, 'root', 'amd64');
  const work = (await namesIn(store)).filter((name) => name.startsWith('work-'));
  const { stdout: mounts } = await attempt(['grep', '-F', platform.paths.imageBuilds, '/proc/self/mounts']);
  return [...work, ...mounts.split('\n')].filter(Boolean);
}

/** Control groups of builds, also of others on this machine. */
async function groups(): Promise<string[]> {
  const { stdout } = await attempt(['find', '/sys/fs/cgroup', '-name', 'walt-build-*']);
  return stdout.split('\n').filter(Boolean);
}

async function assertNothingLeft(): Promise<void> {
  assert.deepEqual(await leftovers(), []);
  // Those of others go when their builds end; one of ours that is there now would stay.
  const now = await groups();
  await until('the end of all builds that ran', async () => {
    const still = await groups();
    return !now.some((group) => still.includes(group));
  });
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
    ['a label without a value', 'FROM base\n\nLABEL a\n', /walt: Dockerfile:3: LABEL "a" has no value/],
    ['a variable that must be set', 'FROM base\nENV B=${A:?x}\n', /walt: Dockerfile:2: A: x\./],
    ['nonsense for a signal', 'FROM base\nSTOPSIGNAL NONSENSE\n', /Dockerfile:2: "NONSENSE" is no signal/],
    [
      'a file that cannot be fetched',
      'FROM base\nADD http://a.invalid/b /\n',
      /Dockerfile:2: ADD .* cannot be fetched: no such host/,
    ],
    [
      'a program that is not there',
      'FROM base\nRUN ["/no"]\n',
      /Dockerfile:2: RUN .*: the image has no program "\/no"/,
    ],
    [
      'an endless line',
      `FROM base\nRUN a${' '.repeat(260_000)}b\n`,
      /Dockerfile:2: this instruction is longer than/,
    ],
    [
      'too many processes',
      'FROM base\nRUN for i in $(seq 5000); do sleep 100 & done\n',
      /Dockerfile:2: RUN .*it had 4096 processes, which is the limit/,
    ],
  ];
  for (const [what, dockerfile, message] of cases) {
    test(what, async () => {
      const before = await root.json('image', 'log', 'base');
      const { status, stderr } = await build('base', { Dockerfile: dockerfile }, '--yes');
      assert.equal(status, 1);
      assert.match(stderr, message);
      // What Go and the server's folders are called is nobody's business.
      assert.doesNotMatch(stderr, /\/mnt\/|map\[|copier:|level=/);
      assert.deepEqual(await root.json('image', 'log', 'base'), before);
      await assertNothingLeft();
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

describe('a folder as people have them', () => {
  test('what cannot be sent is told; the build fails only if it copies that', async () => {
    const folder = await folderOf({
      'Dockerfile.t': 'FROM base\nCOPY . /all\nRUN ls /all > /list\n',
      'Dockerfile.t.dockerignore': 'secret\n',
      '.dockerignore': 'kept\n',
      secret: 'secret',
      kept: 'kept',
    });
    await run(['mkfifo', join(folder, 'pipe')]);
    await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff)]), 'no UTF-8');
    const words = ['image', 'build', 'odd', '--from-dir', folder, '--file', 'Dockerfile.t'];
    const { status, stderr } = await root.walt(...words);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /"pipe" is a named pipe: it is not sent\./);
    const names = (await read('odd', '/list')).split('\n');
    assert.ok(names.includes('kept') && !names.includes('secret') && !names.includes('pipe'), String(names));
    // With the one of no UTF-8, and the end.
    assert.equal(names.length, 5);
    await writeFile(join(folder, 'Dockerfile.t'), 'FROM base\nCOPY pipe /\n');
    const failed = await root.walt(...words);
    assert.match(failed.stderr, /Dockerfile\.t:2: COPY pipe \/: "pipe" is not there/);
  });

  test('a folder that is too deep is named', async () => {
    const folder = await folderOf({ Dockerfile: 'FROM base\nCOPY . /all\n' });
    const script = 'cd "$1" && for i in $(seq 25); do mkdir "$2" && cd -P "$2" || exit; done';
    await run(['bash', '-c', script, 'bash', folder, 'x'.repeat(200)]);
    const { status, stderr } = await root.walt('image', 'build', 'deep', '--from-dir', folder);
    await run(['rm', '-rf', '--', folder]);
    assert.equal(status, 1);
    assert.match(stderr, /x… in .* lies too deep: its path has more than 3840 bytes/);
    assert.ok(stderr.length < 1000, stderr);
  });

  test('attributes and capabilities get into the image; choosing and checksums work', async () => {
    const folder = await folderOf({
      Dockerfile:
        'FROM base AS Made\nCOPY --exclude=*.md . /all\nFROM base\nCOPY --parents --from=Made /all/./n* /out/\n',
      'note.txt': 'x',
      'note.md': 'x',
    });
    await run(['setfattr', '-n', 'user.note', '-v', 'kept', join(folder, 'note.txt')]);
    await root.ok('image', 'build', 'chosen', '--from-dir', folder);
    assert.equal(await root.ok('image', 'run', 'chosen', '--', 'ls', '/out'), 'note.txt\n');
    const layers = join(platform.paths.containers, 'overlay');
    const files = await run(['find', layers, '-path', '*/diff/out/note.txt']);
    const { stdout } = await attempt([
      'getfattr',
      '-d',
      '--absolute-names',
      ...files.split('\n').filter(Boolean),
    ]);
    assert.match(stdout, /user\.note="kept"/);
  });

  test('--target builds a stage alone', async () => {
    const files = { Dockerfile: 'FROM base AS One\nRUN echo 1 > /v\nFROM base\nRUN false\n' };
    assert.equal((await build('target', files, '--target', 'one')).status, 0);
    assert.equal(await read('target', '/v'), '1\n');
    const { stderr } = await build('target', files, '--target', 'two');
    assert.match(stderr, /Dockerfile has no stage "two"\.[\s\S]*one/);
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
  await root.ok('image', 'build', 'cloned', '--from-url', `file://${folder}#v1:sub`);
  assert.equal(await read('cloned', '/word'), 'one\n');
  await root.ok('image', 'build', 'cloned', '--from-url', `file://${folder}#:sub`);
  const short = await root.walt('image', 'build', 'cloned', '--from-url', `file://${folder}#abc1234:sub`);
  assert.match(short.stderr, /all its 40 digits/);
  const twice = await root.walt(
    'image',
    'build',
    'cloned',
    ...words,
    '--from-url',
    `file://${folder}#v1:sub`,
  );
  assert.equal(twice.status, 2);
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

test('submodules are fetched, those in submodules too', async () => {
  const git = (folder: string, ...words: string[]) =>
    run([
      'git',
      '-C',
      folder,
      '-c',
      'user.name=a',
      '-c',
      'user.email=a@b',
      '-c',
      'protocol.file.allow=always',
      ...words,
    ]);
  const commit = async (folder: string) => {
    await git(folder, 'add', '.');
    await git(folder, 'commit', '--quiet', '--message', 'x');
  };
  const [top, middle, inner] = await Promise.all([
    folderOf({ Dockerfile: 'FROM base\nCOPY . /all\nRUN cd /all; find . -name .git -o -type f > /list\n' }),
    folderOf({ m: 'm' }),
    folderOf({ i: 'i' }),
  ]);
  for (const folder of [top, middle, inner]) await git(folder, 'init', '--quiet');
  await commit(inner);
  await git(middle, 'submodule', '--quiet', 'add', `file://${inner}`, 'inner');
  await commit(middle);
  await git(top, 'submodule', '--quiet', 'add', `file://${middle}`, 'middle');
  await commit(top);
  // git itself takes no submodules from files unless it is told to.
  const words = ['image', 'build', 'modules', '--from-url', `file://${top}`];
  const refused = await root.walt(...words);
  assert.match(refused.stderr, /could not fetch the submodules of/);
  const { status, stderr } = await root.run([root.launcher, ...words], {
    env: { GIT_ALLOW_PROTOCOL: 'file' },
  });
  assert.equal(status, 0, stderr);
  const list = (await read('modules', '/list')).split('\n').filter(Boolean).sort();
  assert.deepEqual(list, [
    './.gitmodules',
    './Dockerfile',
    './middle/.gitmodules',
    './middle/inner/i',
    './middle/m',
  ]);
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
    await assertNothingLeft();
    assert.equal((await build('after', { Dockerfile: 'FROM base\nRUN true\n' }, '--no-cache')).status, 0);
    assert.equal((await root.walt('image', 'show', 'endless')).status, 1);
  }
});
