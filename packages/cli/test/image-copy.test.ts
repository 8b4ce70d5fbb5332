import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, before, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { result } from '../../server/test/platform.ts';
import { outcome } from './checkout.ts';
import { openClient } from './client.ts';

const { server, checkout } = await openClient();
const { images } = server.platform;
/** The image's tree: what is written here is in the image before a copy, and what the copy left there is here after it. */
const image = join(checkout.folder, 'image');
const here = join(checkout.folder, 'here');

before(async () => {
  await plant();
  await server.addNode('vnode1');
});
beforeEach(() => {
  for (const folder of [image, here]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  mkdirSync(join(image, 'etc'));
  writeFileSync(join(image, 'etc/motd'), 'hello\n');
});

async function plant(): Promise<void> {
  mkdirSync(image, { recursive: true });
  const tar = join(checkout.folder, 'image.tar');
  execFileSync('tar', ['-C', image, '--format=pax', '--numeric-owner', '-cf', tar, '.']);
  const target = { owner: 'alice', name: 'debian' };
  await result(images.importTar('alice', { tar, architecture: 'amd64' }, target, true));
}

async function harvest(): Promise<void> {
  rmSync(image, { recursive: true });
  mkdirSync(image);
  const input = await buffer(await images.readFiles(await images.get('alice', 'debian'), '/'));
  execFileSync('tar', ['-C', image, '--strip-components=1', '--numeric-owner', '-xpf', '-'], { input });
}

async function copied<T>(copy: () => Promise<T>): Promise<T> {
  await plant();
  const end = await copy();
  await harvest();
  return end;
}

const cp = (from: string, to: string) => copied(() => checkout.run(['image', 'cp', from, to], { cwd: here }));

/** One of each kind that a tar keeps. */
function makeFolder(folder: string) {
  mkdirSync(join(folder, 'sub'), { recursive: true });
  writeFileSync(join(folder, 'file'), 'content');
  chmodSync(join(folder, 'file'), 0o640);
  chownSync(join(folder, 'file'), 1234, 2345);
  utimesSync(join(folder, 'file'), 1_600_000_000, 1_600_000_000);
  linkSync(join(folder, 'file'), join(folder, 'sub', 'same'));
  symlinkSync('../nowhere', join(folder, 'link'));
  writeFileSync(join(folder, 'empty'), '');
  writeFileSync(join(folder, 'sub', `${'long'.repeat(60)}`), 'ä');
  chmodSync(join(folder, 'sub'), 0o500);
  utimesSync(join(folder, 'sub'), 1_500_000_000, 1_500_000_000);
}

function assertFolder(folder: string) {
  const file = statSync(join(folder, 'file'));
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'content');
  assert.deepEqual(
    [file.mode & 0o7777, file.uid, file.gid, file.mtimeMs],
    [0o640, 1234, 2345, 1_600_000_000_000],
  );
  assert.equal(statSync(join(folder, 'sub/same')).ino, file.ino);
  assert.equal(readlinkSync(join(folder, 'link')), '../nowhere');
  assert.equal(statSync(join(folder, 'empty')).size, 0);
  assert.equal(readFileSync(join(folder, 'sub', 'long'.repeat(60)), 'utf8'), 'ä');
  const sub = statSync(join(folder, 'sub'));
  assert.deepEqual([sub.mode & 0o7777, sub.mtimeMs], [0o500, 1_500_000_000_000]);
}

describe('into an image', () => {
  test('a folder keeps owners, modes, times and links; its name is kept in an existing folder', async () => {
    makeFolder(join(here, 'data'));
    const { status, stdout, stderr } = await cp('data', 'debian:/etc');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /alice\/debian is saved/);
    assert.match(stderr, /vnode1 still runs the older version: `walt node reboot vnode1`/);
    assertFolder(join(image, 'etc/data'));
  });

  const cases: [name: string, from: string, to: string, result: string][] = [
    ['a new name', 'data', 'debian:/srv', 'srv/file'],
    ['FOLDER/. merges', 'data/.', 'debian:/etc', 'etc/file'],
    ['FOLDER/. into a new folder', 'data/.', 'debian:/new', 'new/file'],
    ['a file replaces a file', 'data/file', 'debian:/etc/motd', 'etc/motd'],
    ['a file into a folder, named with a slash', 'data/file', 'debian:/etc/', 'etc/file'],
    ['the root of the image', 'data/file', 'debian:/', 'file'],
  ];
  for (const [name, from, to, result] of cases) {
    test(name, async () => {
      makeFolder(join(here, 'data'));
      const { status, stderr } = await cp(from, to);
      assert.equal(status, 0, stderr);
      assert.equal(readFileSync(join(image, result), 'utf8'), 'content');
      assert.equal(
        readFileSync(join(image, 'etc/motd'), 'utf8'),
        result === 'etc/motd' ? 'content' : 'hello\n',
      );
    });
  }

  // docker-cp(1), "Description": what a source and a destination come to.
  const docker: [what: string, from: string, to: string, result: string | RegExp][] = [
    ['file, no destination', 'data/file', 'debian:/made', 'made'],
    [
      'file, no destination, with a slash',
      'data/file',
      'debian:/made/',
      /There is no folder \/made\/ in debian/,
    ],
    ['file, a file', 'data/file', 'debian:/etc/motd', 'etc/motd'],
    ['file, a file with a slash', 'data/file', 'debian:/etc/motd/', /\/etc\/motd\/ is no folder in debian/],
    ['file, a folder', 'data/file', 'debian:/etc', 'etc/file'],
    ['folder, no destination', 'data', 'debian:/made', 'made/file'],
    ['folder, no destination, with a slash', 'data', 'debian:/made/', 'made/file'],
    ['folder, a file', 'data', 'debian:/etc/motd', /is a file/],
    ['folder, a folder', 'data', 'debian:/etc', 'etc/data/file'],
    ['content, a folder', 'data/.', 'debian:/etc', 'etc/file'],
    ['content, no destination', 'data/.', 'debian:/made', 'made/file'],
  ];
  for (const [what, from, to, result] of docker) {
    test(`as docker cp: ${what}`, async () => {
      makeFolder(join(here, 'data'));
      const { status, stderr } = await cp(from, to);
      if (typeof result === 'string') {
        assert.equal(status, 0, stderr);
        assert.equal(readFileSync(join(image, result), 'utf8'), 'content');
      } else {
        assert.equal(status, 1);
        assert.match(stderr, result);
        assert.equal(existsSync(join(image, 'made')), false);
      }
    });
  }

  test('a file that cannot be read is named, each time, and nothing is saved', async () => {
    mkdirSync(join(here, 'mine'));
    writeFileSync(join(here, 'mine/secret'), 'x');
    chmodSync(join(here, 'mine/secret'), 0);
    chownSync(join(here, 'mine/secret'), 1234, 1234);
    // root without what makes him read all files.
    const limited = ['--bounding-set=-dac_override,-dac_read_search', '--', checkout.walt];
    for (let round = 0; round < 10; round += 1) {
      const args = [...limited, 'image', 'cp', 'mine', 'debian:/srv'];
      const { status, stderr } = await copied(() =>
        outcome(spawn('setpriv', args, { env: checkout.env, cwd: here })),
      );
      assert.equal(status, 1);
      assert.match(stderr, /mine\/secret: .*Permission denied/);
      assert.equal(existsSync(join(image, 'srv')), false);
    }
  });

  test('a folder over a file is refused', async () => {
    makeFolder(join(here, 'data'));
    const { status, stderr } = await cp('data', 'debian:/etc/motd');
    assert.equal(status, 1);
    assert.match(stderr, /\/etc\/motd is a file in debian, and data is a folder/);
    assert.equal(readFileSync(join(image, 'etc/motd'), 'utf8'), 'hello\n');
  });

  test('what is missing is named: the local file, the image, the folder', async () => {
    writeFileSync(join(here, 'file'), '');
    assert.match((await cp('nope', 'debian:/etc')).stderr, /There is no nope on this machine/);
    assert.match((await cp('file', 'other:/etc')).stderr, /There is no image named "alice\/other"/);
    assert.match(
      (await cp('file', 'debian:/no/such/place')).stderr,
      /There is no folder \/no\/such in debian/,
    );
  });

  test('a file that is larger than memory buffers goes through', async () => {
    const size = 48 * 1024 * 1024;
    writeFileSync(join(here, 'large'), Buffer.alloc(size, 'x'));
    assert.equal((await cp('large', 'debian:/large')).status, 0);
    assert.equal(statSync(join(image, 'large')).size, size);
  });

  test('a stale token is renewed before the body goes out', async () => {
    writeFileSync(join(here, 'file'), 'x');
    await checkout.run(['node', 'show']);
    await server.forgetTokens();
    assert.equal((await cp('file', 'debian:/file')).status, 0);
  });
});

describe('out of an image', () => {
  test('a folder keeps owners, modes, times and links', async () => {
    makeFolder(join(image, 'srv'));
    const { status, stderr } = await cp('debian:/srv', 'copy');
    assert.equal(status, 0, stderr);
    assertFolder(join(here, 'copy'));
  });

  test('into an existing folder, and merged', async () => {
    makeFolder(join(image, 'srv'));
    mkdirSync(join(here, 'into'));
    assert.equal((await cp('debian:/srv', 'into')).status, 0);
    assertFolder(join(here, 'into/srv'));
    assert.equal((await cp('debian:/srv/.', '.')).status, 0);
    assertFolder(here);
    assert.equal((await cp('debian:/etc/motd', '.')).status, 0);
    assert.equal(readFileSync(join(here, 'motd'), 'utf8'), 'hello\n');
  });

  test('programs get no set-user-ID on this machine', async () => {
    writeFileSync(join(image, 'su'), '');
    chmodSync(join(image, 'su'), 0o6755);
    assert.equal((await cp('debian:/su', 'su')).status, 0);
    assert.equal(statSync(join(here, 'su')).mode & 0o7777, 0o755);
  });

  test('what is missing is named', async () => {
    assert.match((await cp('debian:/nope', 'x')).stderr, /There is no \/nope in image "alice\/debian"/);
    assert.match(
      (await cp('debian:/etc', 'no/such/place')).stderr,
      /There is no folder no\/such on this machine/,
    );
  });

  test('a folder that is in the way of a file is kept', async () => {
    mkdirSync(join(here, 'etc/motd'), { recursive: true });
    const { status, stderr } = await cp('debian:/etc/.', 'etc');
    assert.equal(status, 1);
    assert.match(stderr, /etc\/motd is a folder, and a file of that name was to be copied/);
  });
});

/** What `stat` and `sha256sum` tell, with names as bytes. */
function listing(folder: string, format = '%P %y %m %U %G %T@ %l'): string {
  const tell = `find . -printf '${format}' ! -type d -printf ' %n %s' , -printf '\\0' | sort -z
    find . -type f -exec sha256sum -z {} + | sort -z`;
  return execFileSync('sh', ['-c', tell], { cwd: folder, encoding: 'latin1' });
}

const ODD = `mkdir -p odd/closed odd/öffne; printf x >"odd/$(printf 'bad\\377\\nname')"; printf y >'odd/öffne/-dash "q" \\n'
  touch -d '2001-02-03 04:05:06.123456789' odd/öffne/*; ln -s "$(printf 'to\\377')" odd/link; : >odd/closed/empty
  chmod 1777 odd/öffne; chmod 500 odd/closed; touch -d '2001-02-03 04:05:06.123456789' odd/closed odd`;
const makeOdd = (cwd: string) => execFileSync('sh', ['-ec', ODD], { cwd });

test('names that are no UTF-8, nanoseconds and large owners go both ways', async () => {
  makeOdd(here);
  execFileSync('chown', ['300000000:400000000', join(here, 'odd/closed/empty')]);
  const told = listing(join(here, 'odd'));
  const into = await cp('odd', 'debian:/srv');
  assert.equal(into.status, 0, into.stderr);
  assert.match(into.stderr, /Saving debian/);
  assert.equal(listing(join(image, 'srv')), told);
  const out = await cp('debian:/srv', 'back');
  assert.equal(out.status, 0, out.stderr);
  assert.equal(listing(join(here, 'back')), told);
  assert.deepEqual(readdirSync(here).sort(), ['back', 'odd'], 'nothing else is left');
});

test('an existing folder keeps its mode and its time', async () => {
  makeOdd(image);
  mkdirSync(join(here, 'odd'), { mode: 0o711 });
  assert.equal((await cp('debian:/odd', '.')).status, 0);
  assert.equal(statSync(join(here, 'odd')).mode & 0o7777, 0o711);
  assert.equal(statSync(join(here, 'odd/closed')).mode & 0o7777, 0o500);
});

describe('somebody who is not root', () => {
  before(() => {
    for (const folder of [checkout.folder, server.folder, dirname(server.folder)]) chmodSync(folder, 0o755);
    chmodSync(server.socket, 0o666);
    chmodSync(join(dirname(server.socket), 'auth'), 0o777);
  });
  /** By number alone: there is no such account. */
  const walt = (...words: string[]) => copied(() => run(words));
  const run = (words: string[]) =>
    new Promise<{ status: number | null; stderr: string }>((resolve) => {
      const ids = ['--reuid=12345', '--regid=12345', '--clear-groups'];
      const child = spawn('setpriv', [...ids, '--', checkout.walt, 'image', 'cp', ...words], {
        ...{
          cwd: here,
          env: { ...checkout.env, HOME: here, XDG_CONFIG_HOME: join(checkout.folder, 'user') },
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let stderr = '';
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
      });
      child.on('close', (status) => resolve({ status, stderr }));
    });

  test('gives what is his to root, or keeps it with -a; the owners of other files are kept', async () => {
    makeOdd(here);
    execFileSync('chown', ['-R', '12345:12345', here]);
    execFileSync('chown', ['33:44', join(here, 'odd/öffne')]);
    const owners = () => listing(join(image, 'odd'), '%P %U %G').split('\0').slice(0, 6);
    const { status, stderr } = await walt('odd', 'debian:/odd');
    assert.equal(status, 0, stderr);
    assert.ok(owners().includes('closed 0 0') && owners().includes('Ã¶ffne 33 44'), String(owners()));
    rmSync(join(image, 'odd'), { recursive: true });
    assert.equal((await walt('-a', 'odd', 'debian:/odd')).status, 0);
    assert.ok(owners().includes('closed 12345 12345'), String(owners()));
  });

  test('gets what he copies, also from folders that are closed', async () => {
    makeOdd(image);
    execFileSync('chown', ['-R', '12345:12345', here]);
    const { status, stderr } = await walt('debian:/odd', 'copy');
    assert.equal(status, 0, stderr);
    const copied = statSync(join(here, 'copy/closed'), { bigint: true });
    assert.deepEqual(
      [copied.uid, copied.mode & 0o7777n, copied.mtimeNs % 1_000_000_000n],
      [12345n, 0o500n, 123456789n],
    );
    assert.deepEqual(
      readdirSync(here).filter((name) => name !== '.cache'),
      ['copy'],
    );
  });
});

describe('an archive that is made to do harm', () => {
  const { readFiles } = images;
  afterEach(() => {
    images.readFiles = readFiles;
  });
  /** The image stays what it is: what comes out of it is made up. */
  const cp = (from: string, to: string) => checkout.run(['image', 'cp', from, to], { cwd: here });

  const serve = (entries: Parameters<ReturnType<typeof pack>['entry']>[0][]) => {
    images.readFiles = async () => {
      const tar = pack();
      for (const entry of entries) tar.entry(entry, entry.type === 'file' || !entry.type ? 'harm' : '');
      tar.finalize();
      return Readable.from(tar);
    };
  };

  test('a name outside is refused', async () => {
    serve([{ name: 'top/', type: 'directory' }, { name: 'top/../../escaped' }]);
    const { status } = await cp('debian:/etc', 'copy');
    assert.equal(status, 1);
    assert.ok(!existsSync(join(checkout.folder, 'escaped')));
  });

  test('a link that it brought is not followed', async () => {
    const outside = join(checkout.folder, 'outside');
    mkdirSync(outside, { recursive: true });
    serve([
      { name: 'top/', type: 'directory' },
      { name: 'top/link', type: 'symlink', linkname: outside },
      { name: 'top/link/file' },
    ]);
    const { status, stderr } = await cp('debian:/etc', 'copy');
    assert.equal(status, 1);
    assert.match(stderr, /tar could not copy all: top\/link\/file/);
    assert.ok(!existsSync(join(outside, 'file')));
  });

  test('a file is not written through a link of the same name', async () => {
    const victim = join(checkout.folder, 'victim');
    writeFileSync(victim, 'safe');
    serve([
      { name: 'top/', type: 'directory' },
      { name: 'top/file', type: 'symlink', linkname: victim },
      { name: 'top/file', type: 'file' },
    ]);
    assert.equal((await cp('debian:/etc', 'copy')).status, 0);
    assert.equal(readFileSync(victim, 'utf8'), 'safe');
    assert.deepEqual(readdirSync(here), ['copy']);
  });

  const types = ['character-device', 'block-device', 'fifo'] as const;
  test('devices and pipes are left out, and named', async () => {
    serve([
      { name: 'top/', type: 'directory', mtime: new Date(1_600_000_000_000) },
      ...types.map((type) => ({ name: `top/${type}`, type, devmajor: 1, devminor: 3 })),
      { name: 'top/file' },
    ]);
    const { status, stderr } = await cp('debian:/etc', 'copy');
    assert.equal(status, 0, stderr);
    for (const type of types) assert.match(stderr, new RegExp(`Left out ${type}: it is neither`));
    assert.deepEqual(readdirSync(join(here, 'copy')), ['file']);
    assert.equal(statSync(join(here, 'copy')).mtimeMs, 1_600_000_000_000);
  });

  test('hard links and absolute names lead nowhere out', async () => {
    const victim = join(checkout.folder, 'victim');
    writeFileSync(victim, 'safe');
    for (const linkname of [victim, '../../victim', '../../../victim', 'top/link/victim']) {
      serve([
        { name: 'top/', type: 'directory' },
        { name: 'top/link', type: 'symlink', linkname: checkout.folder },
        { name: 'top/stolen', type: 'link', linkname },
        { name: 'top/stolen' },
      ]);
      assert.equal((await cp('debian:/etc', 'copy')).status, 1, linkname);
      assert.deepEqual(readdirSync(here), [], linkname);
    }
    serve([{ name: victim }]);
    await cp('debian:/etc', 'copy');
    assert.equal(readFileSync(victim, 'utf8'), 'safe');
    serve([{ name: 'one' }, { name: 'two' }]);
    assert.match((await cp('debian:/etc', 'copy')).stderr, /damaged archive/);
  });

  test('a compressed archive, and one that is none, are refused', async () => {
    for (const bytes of [gzipSync(Buffer.alloc(10_240)), Buffer.alloc(10_240, 'x')]) {
      images.readFiles = async () => Readable.from([bytes]);
      assert.equal((await cp('debian:/etc', 'copy')).status, 1);
      assert.deepEqual(readdirSync(here), []);
    }
  });

  test('an archive that breaks off is a failure', async () => {
    images.readFiles = async () => {
      const tar = pack();
      const entry = tar.entry({ name: 'file', size: 1_000_000 });
      entry.on('error', () => {});
      entry.write(Buffer.alloc(1000));
      setImmediate(() => tar.destroy(new Error('broken')));
      return Readable.from(tar);
    };
    const { status, stderr } = await cp('debian:/etc', 'copy');
    assert.equal(status, 1);
    assert.match(stderr, /The copy broke off/);
  });
});
