/** Files of every kind, and all that can be told of them: what a save must keep. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/** In the image, before the change. */
export const BELOW = `
  mkdir -p old/kept old/anew old/gone; echo 1 >old/kept/file; echo 2 >old/anew/below; echo 3 >old/gone/x
  for name in deleted chmodded replaced listed; do echo $name >old/$name; done
  ln -s kept old/turned; mkdir old/becomes-file; echo 4 >old/becomes-folder
  setfattr -n user.note -v before old/kept/file; touch "old/bad$(printf '\\377')"`;

/**
 * An access list as the kernel keeps it (linux/posix_acl_xattr.h): rights of the owner, of user `id`, of the group, the mask, of
 * others.
 */
function accessList(owner: number, id: number, user: number, group: number, mask: number, others: number) {
  const entry = (tag: number, rights: number, who = 0xffffffff) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(tag, 0);
    bytes.writeUInt16LE(rights, 2);
    bytes.writeUInt32LE(who, 4);
    return bytes.toString('hex');
  };
  return `0x02000000${entry(1, owner)}${entry(2, user, id)}${entry(4, group)}${entry(16, mask)}${entry(32, others)}`;
}

/** cap_net_raw+ep (linux/capability.h, revision 2). */
const CAPABILITY = '0x0100000200200000000000000000000000000000';

const setAccess = (file: string, list: string) => `setfattr -n system.posix_acl_access -v ${list} ${file}`;
const setDefault = (file: string, list: string) => `setfattr -n system.posix_acl_default -v ${list} ${file}`;

/** What a user may do to files, with the programs of an image or those that he brings. */
export const CHANGES = `
  mkdir -p new/folder "new/two words"; cd new
  echo shared >shared; chmod 644 shared; ${setAccess('shared', accessList(6, 1000, 6, 4, 6, 4))}
  echo list >folder/before; ${setAccess('folder', accessList(7, 7, 7, 5, 7, 5))}
  ${setDefault('folder', accessList(7, 7, 7, 5, 7, 0))}; mkdir folder/below; echo list >folder/after
  cp /bin/true capable
  echo x >attributed; setfattr -n user.mime -v text attributed; setfattr -n user.raw -v 0x00ff0a3d attributed
  setfattr -n user.of-a-folder -v 1 "two words"
  setfattr -n trusted.note -v kept attributed
  chown 300000000:400000000 attributed; chmod 6755 capable; setfattr -n security.capability -v ${CAPABILITY} capable; chmod 1777 folder
  ln shared hard; ln -s /etc/passwd link; chown -h 5:6 link; mkfifo pipe; mknod device c 1 3; mknod disk b 7 3
  printf x >"bad$(printf '\\377')name"; mkdir "folder$(printf '\\377')"; echo y >"folder$(printf '\\377')/y"
  touch "$(printf 'two\\nlines')" -- -rf "$(printf 'n%.0s' $(seq 254))"
  head -c 300000 /dev/urandom >data; truncate -s 5M sparse
  touch -h -d '2001-02-03 04:05:06.123456789' shared link data pipe; touch -d '1999-12-31 23:59:59.5' sparse
  cd ../old
  rm deleted; rm -r gone; chmod 600 chmodded; chown 1:2 chmodded; rm replaced; mkdir replaced; echo 5 >replaced/x
  rm -r anew; mkdir anew; echo 6 >anew/above; ln -sfn gone turned; rmdir becomes-file; echo 7 >becomes-file
  rm becomes-folder; mkdir becomes-folder; ${setAccess('listed', accessList(6, 1, 4, 4, 4, 4))}; setfattr -n user.note -v after kept/file
  rm "bad$(printf '\\377')"; mkdir "bad$(printf '\\377')"`;

/** All that can be told of the files of a tree, byte by byte. */
export async function listing(root: string): Promise<string> {
  const tell = `
    find . -printf '%P %y %m %U %G %l' ! -type d -printf ' %n %T@ %s' , -printf '\\0' | sort -z
    find . -type b,c -exec stat -c '%n %t %T' {} + | sort
    find . -type f -print0 | sort -z | xargs -0 sha256sum -z --
    find . -print0 | sort -z | xargs -0 getfattr -hdm - -e hex -- | sed '/trusted.overlay/d'`;
  const { stdout } = await exec('sh', ['-c', tell], { cwd: root, encoding: 'latin1', maxBuffer: 1e8 });
  return stdout;
}
