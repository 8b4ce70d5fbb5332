/** `walt node save`: what was changed on a real node, as an image, and on another node that boots it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { NodeChange } from '@walt/contract';
import type { Platform } from '../platform.ts';
import { haveNodes, leavePlatform, usePlatform } from '../shared-platform.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await haveNodes(platform, 'alpha', 'beta');
});
after(leavePlatform);

/** cap_net_raw+ep (linux/capability.h), and rights of user 7 on a folder, for what is made in it, too (linux/posix_acl_xattr.h). */
const CAPABILITY = '0100000200200000000000000000000000000000';
const ACCESS_LIST =
  '0200000001000700ffffffff020007000700000004000500ffffffff10000700ffffffff20000500ffffffff';

const CHANGES = String.raw`set -e
mkdir -p '/srv/saved/two words' /srv/saved/empty /srv/saved/shared; cd /srv/saved
echo text >file; cp /bin/true capable; head -c 300000 /dev/urandom >data
python3 -c 'import os; os.setxattr("capable", "security.capability", bytes.fromhex("${CAPABILITY}"))
for kind in "access", "default": os.setxattr("shared", "system.posix_acl_" + kind, bytes.fromhex("${ACCESS_LIST}"))
os.setxattr("file", "trusted.note", b"kept")'
chown 1234:4321 file; chmod 4750 file; ln file hard; ln -s ../nowhere link; chown -h 5:6 link; mkfifo pipe; echo list >shared/inside
touch -h -d '2001-02-03 04:05:06.123456789' file link; touch "$(printf 'no-utf8-\377')" -- -rf "$(printf 'two\nlines')"
rm /etc/debian_version; rm -r /usr/share/doc/tar; mkdir /usr/share/doc/tar; echo new >/usr/share/doc/tar/new
chmod 600 /etc/issue; chown 7:8 /etc/issue; rm /etc/issue.net; mkdir /etc/issue.net
echo 10.9.9.9 other >>/etc/hosts; mkdir -p /var/log/mine; echo 1 >/var/log/mine/log; echo 1 >/srv/x.pid; mknod device c 1 3`;

/** All that a file has, also what was deleted: that is not told. */
const LISTING = `python3 -c '
import os, zlib
def tell(path):
    try: s = os.lstat(path)
    except FileNotFoundError: return print(path, "absent")
    is_link, is_file = os.path.islink(path), s.st_mode & 0o170000 == 0o100000
    attributes = [] if is_link else sorted((name, os.getxattr(path, name)) for name in os.listxattr(path))
    print(ascii([path, oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, s.st_nlink if is_file else 0, attributes,
                 os.readlink(path) if is_link else zlib.crc32(open(path, "rb").read()) if is_file else 0]))
    if s.st_mode & 0o170000 == 0o040000:
        for name in sorted(os.listdir(path)): tell(path + "/" + name)
for path in "/srv", "/usr/share/doc/tar", "/etc/issue", "/etc/issue.net", "/etc/debian_version": tell(path)'`;

interface Found {
  changes: NodeChange[];
  lost: { path: string; why: string }[];
}

test('what was changed on a node is saved, and a node that boots it has the same, with all attributes', async () => {
  const { root } = platform;
  await root.on('alpha', CHANGES);
  const { changes, lost } = await root.json<Found>('node', 'save', 'alpha', 'saved', '--dry-run');
  const saved = changes.filter(({ leftOut }) => leftOut === null).map(({ kind, path }) => `${kind} ${path}`);
  for (const one of ['A /srv/saved/empty', 'A /srv/saved/hard', 'D /etc/debian_version', 'M /etc/issue']) {
    assert.ok(saved.includes(one), `${one} in ${saved.join('\n')}`);
  }
  assert.ok(saved.includes('M /usr/share/doc/tar') && saved.includes('M /etc/issue.net'));
  const why = new Map(changes.map(({ path, leftOut }) => [path, leftOut]));
  assert.equal(why.get('/etc/hosts'), 'platform');
  assert.equal(why.get('/var/log/mine/log'), 'list');
  assert.equal(why.get('/srv/x.pid'), 'list');
  assert.deepEqual(
    lost.map(({ path }) => path),
    ['/srv/saved/device'],
  );
  assert.ok(!(await root.ok('image', 'show', '--names-only')).includes('saved'));

  await root.on('alpha', 'rm /srv/saved/device /srv/x.pid');
  const said = await root.walt('node', 'save', 'alpha', 'saved', '--yes');
  assert.equal(said.status, 0, said.stderr);
  assert.match(said.stdout, /^root\/saved is saved \(sha256:[0-9a-f]{12}\)\.\n$/);
  assert.match(said.stderr, /You changed files: \d+ added, \d+ modified, \d+ deleted\./);
  const wanted = await root.on('alpha', LISTING);
  assert.match(wanted, /security\.capability.*posix_acl_default/s);

  await root.ok('node', 'boot', 'beta', 'saved');
  await platform.booted('beta');
  assert.equal(await root.on('beta', LISTING), wanted);
  assert.match(await root.on('beta', 'cat /etc/hosts; ls /var/log'), /^(?!.*other)(?!.*mine)/s);
  assert.match(await root.on('beta', 'ls -i /srv/saved/file /srv/saved/hard'), /^(\d+) .*\n\1 /);
});
