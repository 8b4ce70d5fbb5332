#!/bin/sh
# usage: copy-machine-disks.sh PID FOLDER FILE…
# Copies the disks FILE… of one virtual machine into FOLDER, as they are at one moment: its QEMU, process PID, stands still meanwhile.
# PID is 0 where it does not run.
set -eu
pid=$1
folder=$2
shift 2

# Whatever ends this script, the machine goes on.
leave() {
  [ "$pid" = 0 ] || kill -CONT "$pid" || :
}
trap leave EXIT
# The copy ends before that.
trap 'exit 143' TERM INT HUP
[ "$pid" = 0 ] || kill -STOP "$pid"
cp --reflink=auto --sparse=always -- "$@" "$folder"
