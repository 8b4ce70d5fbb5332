/**
 * What runs on a node: POSIX sh of whatever kind, as root. The agent's root is the initramfs, which has the upper folder of the
 * node's overlay and a busybox that needs nothing of the image. The program from standard input (contract, node-changes.ts) is
 * unpacked there, in memory, and goes when it has run. Exit status 4: there is no agent.
 */
export const SEND_CHANGES = `
root=
for process in /proc/[0-9]*; do
  { read -r name < "$process/comm"; } 2> /dev/null || continue
  [ "$name" = walt-agent ] && [ -d "$process/root/rw/changes" ] && root=$process/root && break
done
[ -n "$root" ] || exit 4
exec "$root/bin/busybox" chroot "$root" /bin/busybox sh -c '
PATH=/bin
folder=/changes-$$
trap "rm -r -f $folder" EXIT
trap "exit 5" HUP INT TERM PIPE
mkdir $folder && cd $folder || exit 5
zcat | cpio -i -d 2> /dev/null || exit 5
sh ./send-changes $folder'`.trim();
