#!/bin/sh
# usage: mount-image.sh IMAGE FOLDER
# Mounts the ext4 file system in the file IMAGE: mended first, if it was not left clean, and grown to the file's size. Idempotent.
# Exit status 4: it is damaged beyond that.
set -eu
if [ ! -e "$1" ]; then
  echo "there is no $1" >&2
  exit 1
fi
image=$(readlink -f -- "$1")
folder=$2
if mountpoint -q -- "$folder"; then exit; fi

# One device per file, whoever else has it mounted: an NFS server that is about to end may, and two would destroy each other's data.
device=$(losetup --find --show --nooverlap -- "$image")
# Not cached twice, where the file system below can do that.
losetup --direct-io=on "$device" 2> /dev/null || :
# A root in memory below an overlay takes it, but then lets nothing be read (Linux before 6.6).
head -c 1 "$device" > /dev/null 2>&1 || losetup --direct-io=off "$device"
losetup --set-capacity "$device"

# 1 to 3: it has mended what it found. 8: it is in use, mounted elsewhere; then there is nothing to mend.
status=0
e2fsck -p "$device" >&2 || status=$?
# Grown while it is not mounted: as it is, that takes a right which servers in containers have not. It ends with a whole group of
# blocks, so that it may be smaller than its file by one.
lacks_group() {
  dumpe2fs -h "$device" 2> /dev/null | awk -v file="$(stat --format=%s "$image")" '
    /^Block count:/ { blocks = $3 }
    /^Block size:/ { size = $3 }
    END { exit !(file - blocks * size > 8 * size * size) }'
}
if [ "$status" -le 3 ] && lacks_group; then
  e2fsck -f -p "$device" > /dev/null || :
  resize2fs "$device" > /dev/null || echo "$image was not grown" >&2
fi

if [ "$status" -le 3 ] || [ "$status" = 8 ]; then
  if mount -t ext4 -o nosuid,nodev,noexec,discard,noinit_itable,errors=remount-ro "$device" "$folder"; then
    status=0
  elif [ "$status" = 8 ]; then
    # Not in use, then: it is no file system that e2fsck knows.
    status=4
  else
    status=32
  fi
fi
# From now on the device goes with its last mount.
losetup --detach "$device"
exit "$status"
