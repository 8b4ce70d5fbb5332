#!/bin/bash
# usage: copy-machine-disks.sh PID FOLDER FILE…
# Copies the disks FILE… of one virtual machine into FOLDER, as they are at one moment: its QEMU, process PID, stands still meanwhile.
# PID is 0 where it does not run. Of bash: sh has no pipe to a program that outlives it.
set -eu
pid=$1
folder=$2
shift 2

if [ "$pid" != 0 ]; then
  # Whatever ends this script and the copy, be it SIGKILL, the machine goes on: nobody holds the pipe then.
  exec 3> >(trap '' TERM INT HUP; cat; kill -CONT "$pid")
  resumer=$!
  leave() {
    exec 3>&-
    wait "$resumer" || :
  }
  trap leave EXIT
  kill -STOP "$pid"
fi
# The copy ends before that.
trap 'exit 143' TERM INT HUP
cp --reflink=auto --sparse=always -- "$@" "$folder"
