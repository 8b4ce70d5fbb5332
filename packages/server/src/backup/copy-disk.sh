#!/bin/sh
# usage: copy-disk.sh IMAGE POINT COPY
# Copies the ext4 file system in the file IMAGE into the new file COPY, as it is at one moment: nobody writes into it meanwhile, and
# all that was written is in it. It is mounted at the folder POINT for that, in a mount namespace of this script's own: the kernel
# knows a device one time only, so that this is what nodes write into, where they do. Exit status 4: it is damaged, and was copied
# as it is.
set -eu
image=$1
point=$2
copy=$3
status=0
"$(dirname "$0")/../platform/disks/mount-image.sh" "$image" "$point" >&2 || status=$?
if [ "$status" = 4 ]; then
  cp --sparse=always -- "$image" "$copy"
  exit 4
fi
[ "$status" = 0 ] || exit "$status"

frozen=
# Whatever ends this script, writers go on.
leave() {
  [ -z "$frozen" ] || fsfreeze --unfreeze "$point" || :
  umount -- "$point" || umount --lazy -- "$point" || :
}
trap leave EXIT
# The copy ends before that.
trap 'exit 143' TERM INT HUP
frozen=1
if ! fsfreeze --freeze "$point" 2> /dev/null; then
  # One that was killed has left it frozen: no other runs, by the platform's lock.
  fsfreeze --unfreeze "$point"
  fsfreeze --freeze "$point"
fi
cp --reflink=auto --sparse=always -- "$image" "$copy"
