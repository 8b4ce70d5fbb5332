/**
 * Outside programs that read a tree by paths, as tar(1) does: they run in a root file system of their own, which has the tree and
 * the server's /usr, both read-only, and nothing else. So a link in the tree, or a swap, leads to what anybody may read at most.
 */

/** Where such a program finds its tree. */
export const CONFINED_TREE = '/tree';

const SCRIPT = `set -eu
mount -t tmpfs -o mode=0755,nosuid,nodev walt-tree /mnt
mkdir /mnt/usr /mnt/tree
mount --bind /usr /mnt/usr
mount --bind -- "$1" /mnt/tree
for name in bin lib lib64; do [ ! -L "/$name" ] || cp -P "/$name" "/mnt/$name"; done
mount -o remount,bind,ro,nosuid,nodev /mnt/usr
mount -o remount,bind,ro,nosuid,nodev,noexec /mnt/tree
mount -o remount,ro /mnt
rights=$2
shift 2
exec chroot /mnt setpriv --no-new-privs --bounding-set="$rights" -- "$@"`;

/**
 * Command line that runs `argv` with the folder `tree`, a path of the server's own, as `CONFINED_TREE`. It is root there, with
 * no other right than to read all of it; `withTrusted`: attributes too that only the kernel's and root's programs see (xattr(7)).
 */
export function confined(tree: string, argv: readonly string[], withTrusted = false): string[] {
  const rights = `-all,+dac_read_search${withTrusted ? ',+sys_admin' : ''}`;
  return ['unshare', '--mount', '--ipc', '--net', '--', '/bin/sh', '-c', SCRIPT, 'sh', tree, rights, ...argv];
}
