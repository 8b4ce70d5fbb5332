#!/bin/sh
# What the NFS server exports besides the volumes, in a mount namespace of its own: nobody else sees it, and it ends with it.
#
# A folder per mount, FOLDER/list/NAME, tells what belongs to it, so that an NFS server that starts again finds all of it:
#   image                  link to an ext4 image, a node's /persist
#   lower, 0.img, 1.img …  an image's tree: links to its layers, top first, and `0:1:…`
# It is mounted at FOLDER/at/NAME. That is a file system of its own: a mount that failed leaves nothing of the server's disk there.
#
# usage: nfs-mounts.sh serve FOLDER VOLUMES PROGRAM ARGUMENT…   mounts all, then becomes the program
#        nfs-mounts.sh mount|unmount FOLDER NAME                in the namespace of one that runs; idempotent
set -eu
mount_image=$(dirname "$0")/../../platform/disks/mount-image.sh
safe=nosuid,nodev,noexec
PARALLEL=16

# The first layer is ext4, the others are EROFS. `xino=on`: all files have one device number, else the NFS server does not cross
# from one layer to the next. `uuid=null` (since Linux 6.6; older ones know no other way): what tells the file system in file
# handles is taken from the first layer, else it would be another one after each mount.
mount_tree() {
  cd "at/$2"
  if mountpoint -q root; then return; fi
  for layer in $(tr : ' ' < "$1/lower"); do
    mountpoint -q "$layer" || mount -o "ro,loop,$safe" "$(readlink -f "$1/$layer.img")" "$layer"
  done
  options="ro,$safe,nfs_export=on,xino=on,redirect_dir=nofollow,lowerdir=$(cat "$1/lower")"
  mount -t overlay -o "$options,uuid=null" walt root 2> /dev/null || mount -t overlay -o "$options" walt root
}

mount_one() {
  list=$PWD/list/$1
  if [ -e "$list/lower" ]; then
    mkdir -p "at/$1/root" $(tr : '\n' < "$list/lower" | sed "s|^|at/$1/|")
    mount_tree "$list" "$1"
  else
    mkdir -p "at/$1"
    "$mount_image" "$list/image" "at/$1" || {
      status=$?
      # What is not there is not exported.
      rmdir "at/$1"
      return "$status"
    }
  fi
}

unmount_one() {
  [ -e "at/$1" ] || return 0
  # Never a recursive removal: what is still mounted is somebody's data.
  if mountpoint -q "at/$1"; then umount --lazy "at/$1"; fi
  for point in "at/$1/root" "at/$1"/*; do
    [ -d "$point" ] || continue
    if mountpoint -q "$point"; then umount --lazy "$point"; fi
    rmdir "$point"
  done
  rmdir "at/$1"
}

# The volumes of other platforms on this machine: they would stay in use here after they are unmounted there.
leave_others() {
  losetup --list --noheadings --output BACK-FILE | while read -r file; do
    other=${file%.img}
    if [ "$other" != "$1" ] && [ "${other##*/}" = "${1##*/}" ] && mountpoint -q "$other"; then umount --lazy "$other"; fi
  done
}

serve() {
  # It registers itself with rpcbind, and unregisters whoever was there, through a Unix socket, which no network namespace keeps from
  # it: it would take the host's own NFS server off. So it gets to see none, and turns to our portmapper instead.
  if [ -e /run/rpcbind.sock ]; then mount --bind /dev/null /run/rpcbind.sock; fi
  mount -t tmpfs -o size=16m,mode=700 walt at
  count=0
  for list in list/*/; do
    [ -e "$list" ] || continue
    name=$(basename "$list")
    (mount_one "$name") || echo "cannot mount $name" >&2 &
    count=$((count + 1))
    [ $((count % PARALLEL)) != 0 ] || wait
  done
  wait
}

act=$1
cd "$2"
shift 2
case $act in
  serve)
    leave_others "$(readlink -f "$1")"
    state=$(dirname "$1")
    if [ "$(stat --format=%d "$1")" = "$(stat --format=%d "$state")" ]; then
      echo "$1 is no file system of its own: nodes could read all of $state" >&2
      exit 1
    fi
    shift
    serve
    exec "$@"
    ;;
  mount) mount_one "$1" ;;
  unmount) unmount_one "$1" ;;
esac
