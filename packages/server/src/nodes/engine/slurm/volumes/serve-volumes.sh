# Keeps copies of volumes on a host and serves them to nodes, as a job of Slurm. volume-script.ts puts a first line, the variables and
# walt-net.sh in front:
#   hash                  what the job is
#   address mac           of its own on walt-net: 10.73.127.254/16
#   walt_server token     whom it asks what to do, and by which word that one knows it
#   disk                  file in which copies are
#   ganesha               what the NFS server reads (ganesha-config(8))
#
# It decides nothing. It tells the WalT server what it has; the answer is what to fetch and what to drop. Copies, each with its hash tree
# behind it, lie on a file system of their own, in a file that stays when the job ends; whoever deletes it ends the job. One counts once
# its bytes were seen to be right, after each start of the job anew, and as long as neither content nor inode have changed since.
cache=${disk%/*}
at=$here/volumes
RESERVE=1073741824 # bytes that the host's own disk keeps
PAUSE=2            # seconds between two questions
nfs='' fetching='' failed=''
declare -A right=() # by name: what stat(1) told when the bytes were right

# What the server and `walt-server host list` read of the job: "HASH COUNT BYTES", and what keeps it from serving.
tell() { timeout 3 scontrol update jobid="$SLURM_JOB_ID" comment="$*" >/dev/null 2>&1; }

fail() {
  tell "$hash 0 0 $(printf '%s' "$*" | tr -c '[:print:]' ' ' | tr '|' ' ' | cut -c 1-300)"
  exit 1
}

# Also those of an earlier job that was killed before it could end its own.
end_programs() {
  for pid in $(ip netns pids "$net" 2>/dev/null); do
    if tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -F -e "$here/"; then kill -KILL "$pid"; fi
  done
} 2>/dev/null

unmount() {
  while mountpoint -q "$at"; do umount "$at" || umount --lazy "$at" || return; done
}

join() {
  end_programs
  unmount 2>/dev/null
  mkdir -p -m 700 "$root" && rm -rf --one-file-system "$here" && mkdir -m 700 "$here" "$at" || return
  join_net || return
  # A bridge takes the address of one of its ports, and another one when that goes, unless it is told.
  ip -n "$net" link set dev walt0 address "$mac" && ip -n "$net" address replace "$address" dev walt0
}

leave_locked() {
  end_programs
  ip -n "$net" address delete "$address" dev walt0
  unmount
  rm -rf --one-file-system "$here"
  leave_net
} >/dev/null 2>&1

leave() {
  [ -z "$fetching" ] || kill -KILL "$fetching" 2>/dev/null
  locked leave_locked
}

# As platform/disks/disk-image.ts makes them. As large as the disk: what is really free there is looked at.
make_disk() {
  rm -f "$disk"
  truncate -s "$(df --block-size=1 --output=size "$cache" | tail -n 1)" "$disk.tmp" &&
    mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=1,root_owner=0:0 -m 0 -i 1048576 -J size=4 "$disk.tmp" &&
    mv "$disk.tmp" "$disk"
}

mount_disk() {
  local device status=0
  device=$(losetup --find --show --nooverlap -- "$disk") || return
  e2fsck -p "$device" >&2 || status=$?
  [ "$status" -gt 3 ] && [ "$status" != 8 ] ||
    { mount -t ext4 -o nosuid,nodev,noexec,noatime,discard,noinit_itable "$device" "$at" && status=0; }
  # From now on the device goes with its last mount.
  losetup --detach "$device"
  return "$status"
}

# What is there can be had again: a file system that cannot be mended is made anew.
open_disk() {
  mkdir -p -m 700 "$cache" || return
  [ -e "$disk" ] || make_disk || return
  mount_disk || { make_disk && mount_disk; }
}

serve() {
  [ -z "$nfs" ] || ! kill -0 "$nfs" 2>/dev/null || return 0
  if [ -n "$nfs" ]; then
    uptime_seconds
    if [ $((up - began)) -ge 5 ]; then early=0; else early=$((early + 1)); fi
    [ "$early" -lt 5 ] || fail "ganesha.nfsd ends at once: $(tail -n 2 "$here/nfs.log")"
  fi
  uptime_seconds
  began=$up
  # It would claim a name on the host's bus; and a list of file systems that somebody else found may be of another time.
  DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent BLKID_FILE=/dev/null \
    nsenter --net="/run/netns/$net" -- ganesha.nfsd -F -f "$here/ganesha.conf" -p "$here/nfs.pid" -L STDERR \
    </dev/null >>"$here/nfs.log" 2>&1 9>&- &
  nfs=$!
}

# NAME INODE SIZE CONTENT-CHANGED INODE-CHANGED of each copy, the oldest first. The last time is one that no program can set.
look() { (cd "$at" && stat -c '%n %i %s %.9Y %.9Z' -- *.erofs 2>/dev/null | sort -k 4 -n); }

# Sets $report and $held, and forgets copies that are no longer what they were.
take_stock() {
  local name what count=0 bytes=0 inside_room disk_room size
  declare -A there=()
  report=''
  while read -r name what; do
    [ -n "$name" ] || continue
    there[$name]=yes
    if [ -z "${right[$name]-}" ]; then
      report+="unchecked $name"$'\n'
    elif [ "${right[$name]}" = "$what" ]; then
      report+="have $name"$'\n'
      read -r _ size _ <<<"$what"
      count=$((count + 1)) bytes=$((bytes + size))
    else
      rm -f "${at:?}/$name"
      unset "right[$name]"
    fi
  done <<<"$(look)"
  for name in "${!right[@]}"; do [ -n "${there[$name]-}" ] || unset "right[$name]"; done
  read -r inside_room disk_room <<<"$(df --block-size=1 --output=avail "$at" "$cache" | tail -n 2 | tr '\n' ' ')"
  disk_room=$((disk_room - RESERVE))
  report+="room $((inside_room < disk_room ? inside_room : disk_room))"$'\n'
  [ -z "$failed" ] || report+="failed $failed"$'\n'
  held="$count $bytes"
}

# Whether a file has these bytes; sets $what to what stat(1) told before they were read.
is_right() {
  what=$(stat -c '%i %s %.9Y %.9Z' -- "$1") && [ "$(sha256sum <"$1")" = "$2  -" ]
}

# usage: download NAME SIZE FILE. Prints the digest of what came, and was written: it is read back from the disk after the next start.
download() {
  local early
  # What has come goes to the disk while the rest comes: at the end, a moment is left to wait for.
  while sleep 0.5 && sync --data -- "$3"; do :; done >/dev/null 2>&1 &
  early=$!
  inside curl -sS --fail --connect-timeout 5 --speed-limit 1024 --speed-time 30 -H @"$here/token" \
    "http://$walt_server/node/volume?name=$1" | head -c "$(($2 + 1))" | tee -- "$3" | sha256sum
  kill "$early" 2>/dev/null
}

# In a process of its own. Its last word goes into the file `fetched`.
fetch() {
  local name=$1 size=$2 digest=$3 what temporary=$at/fetched.tmp
  {
    if [ ! -e "$at/$name" ] || ! is_right "$at/$name" "$digest"; then
      rm -f "${at:?}/$name"
      [ "$(download "$name" "$size" "$temporary")" = "$digest  -" ] ||
        { echo "$name it did not come, or with other bytes than the server has"; return; }
      sync -- "$temporary" && what=$(stat -c '%i %s %.9Y %.9Z' -- "$temporary") && mv -- "$temporary" "$at/$name" ||
        { echo "$name it cannot be kept"; return; }
      # The new name is a change of the inode.
      what="${what% *} $(stat -c %.9Z -- "$at/$name")"
    fi
    echo "right $name $what"
  } >"$here/fetched" 2>"$here/complaint"
}

# What became of the last fetch.
take_fetched() {
  local word='' name='' what=''
  [ -n "$fetching" ] && ! kill -0 "$fetching" 2>/dev/null || return
  wait "$fetching"
  fetching=
  read -r word name what <"$here/fetched"
  if [ "$word" = right ]; then
    right[$name]=$what failed=
  elif [ -n "$word" ]; then
    failed=$(printf '%s %s: %s' "$word" "$name $what" "$(tail -n 1 "$here/complaint")" | tr -c '[:print:]' ' ' | cut -c 1-300)
  fi
}

obey() {
  local act name size digest
  while read -r act name size digest; do
    [[ $name =~ ^[a-z0-9-]+\.erofs$ ]] || continue
    case $act in
      drop) rm -f "${at:?}/$name" && unset "right[$name]" ;;
      fetch)
        [ -z "$fetching" ] && [[ $size =~ ^[0-9]+$ ]] && [[ $digest =~ ^[0-9a-f]{64}$ ]] || continue
        (trap - EXIT TERM; fetch "$name" "$size" "$digest") &
        fetching=$!
        ;;
    esac
  done
}

for pair in ip:iproute2 nft:nftables curl:curl mkfs.ext4:e2fsprogs ganesha.nfsd:nfs-ganesha; do need "${pair%:*}" "${pair##*:}"; done
trap leave EXIT
trap 'exit 0' TERM
problem=$(locked join 2>&1) || fail "walt-net cannot be joined: $problem"
problem=$(open_disk 2>&1) || fail "no file system for copies: $problem"
printf 'x-walt-token: %s' "$token" >"$here/token"
printf '%s' "$ganesha" >"$here/ganesha.conf"
mkdir -p "$here/recovery"
rm -f "$at/fetched.tmp"

told=
early=0
while [ -e "$disk" ]; do
  serve
  take_fetched
  take_stock
  if [ "$held" != "$told" ] && tell "$hash $held"; then told=$held; fi
  answer=$(printf '%s' "$report" | inside curl -sS --fail --max-time 10 -H @"$here/token" --data-binary @- \
    "http://$walt_server/node/copies" 2>/dev/null) && obey <<<"$answer"
  if [ "$(stat -c %s "$here/nfs.log")" -gt 1000000 ]; then : >"$here/nfs.log"; fi
  sleep "$PAUSE" &
  wait -n $! ${fetching:+"$fetching"} 2>/dev/null
done
