#!/bin/bash
# usage: copy-to-image.sh FOLDER IMAGE
# Copies what is in FOLDER, and FOLDER's own attributes, to the root of the ext4 file system in IMAGE, and proves that it is the same:
# contents, hard links, owners, modes, times, attributes, access lists. Holes stay holes. Its mounts are its own and go with it.
set -eu
if [ "${3-}" != inside ]; then exec unshare --mount --propagation private -- "$0" "$1" "$2" inside; fi

mount_image=$(dirname "$0")/../platform/disks/mount-image.sh
from=$(readlink -f -- "$1")
image=$(readlink -f -- "$2")

# All that is there, but for sockets, in an order of its own.
archive() {
  tar --create --directory="$1" --format=posix --sort=name --numeric-owner --xattrs --xattrs-include='*' --acls \
    --pax-option=delete=atime,delete=ctime --warning=no-file-ignored .
}

# A folder that every machine has: in here, it is another one.
at=/mnt
mount -t tmpfs walt "$at"
mkdir "$at/image"
"$mount_image" "$image" "$at/image"
cp --archive --sparse=always -- "$from/." "$at/image/"
umount "$at/image"
# What is compared comes from the disk, not from memory.
"$mount_image" "$image" "$at/image"
cmp <(archive "$from") <(archive "$at/image")
