# Runs the machine of one virtual node on a host, as a job of Slurm. job-script.ts puts a first line, the variables and walt-net.sh in
# front:
#   platform id hash      whose machine it is, and what it is
#   controllers limit pid_file   machines that Slurm's controller may be on; its SlurmdTimeout in seconds, its SlurmdPidFile
#   tap rules             the machine's adapter, and what it may send (nft(8))
#   qemu qemu_kvm         command lines; the second one is empty where a machine of that kind has no KVM
#   files                 those that QEMU needs and no package has: NAME SIZE CONTENT (base64) each
machine=

# What the server reads of the job: "HASH NEXT CYCLE", and what keeps the machine from running. It writes NEXT, which is the hash of
# what the machine is to be when it starts the next time. It knows before the machine asks for its
# boot; while Slurm's controller is away, nobody waits for that.
tell() { timeout 3 scontrol update jobid="$SLURM_JOB_ID" comment="$*" >/dev/null 2>&1; }

# The job is held until somebody has mended that, and orders the node to boot.
fail() {
  trap - EXIT
  leave
  tell "$hash $hash - $(printf '%s: %s' "$SLURMD_NODENAME" "$*" | tr -c '[:print:]' ' ' | tr '|' ' ' | cut -c 1-300)"
  scontrol requeuehold "$SLURM_JOB_ID"
  exit 1
}

# Also one of an earlier job that was killed before it could end its own.
end_machine() {
  for pid in $(ip netns pids "$net" 2>/dev/null); do
    if tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -e "-name guest=vm-$id "; then kill -KILL "$pid"; fi
  done
} 2>/dev/null

join() {
  end_machine
  mkdir -p -m 700 "$root" && rm -rf "$here" && mkdir -m 700 "$here" || return
  join_net || return
  if ! ip -n "$net" link show dev "$tap" >/dev/null 2>&1; then
    ip -n "$net" tuntap add dev "$tap" mode tap || return
  fi
  inside nft -f - <<<"$rules" && ip -n "$net" link set dev "$tap" master walt0 up
}

leave_locked() {
  end_machine
  ip -n "$net" link delete dev "$tap"
  inside nft delete table netdev "walt-$tap"
  rm -rf "$here"
  leave_net
} >/dev/null 2>&1

leave() {
  [ -z "$machine" ] || kill -KILL "$machine" 2>/dev/null
  locked leave_locked
}

# Whether the machine of Slurm's controller can be reached: asked by one of our jobs on this host, for all. Not whether the controller
# answers: while it is down, it gives no machine to another host.
in_reach() {
  local last=0
  uptime_seconds
  { read -r last <"$root/reach"; } 2>/dev/null
  [ $((up - last)) -ge 2 ] || return 0
  for controller in "${controllers[@]}"; do
    ping -n -q -c 1 -W 1 -- "$controller" >/dev/null 2>&1 || continue
    uptime_seconds
    echo "$up" >"$here/reach" && mv "$here/reach" "$root/reach"
    return 0
  done
  return 1
}

# Without it, the controller takes this host for dead.
slurmd_lives() {
  local pid=
  { read -r pid <"$pid_file"; } 2>/dev/null
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

# Slurm gives the machine to another host when it has not heard of this one for so long: there must not be two with one address.
watch_out() {
  if in_reach && { [ -z "$has_slurmd" ] || slurmd_lives; }; then
    seen=$up
  elif [ $((up - seen)) -ge "$limit" ]; then
    echo "out of reach for $limit s: the machine ends here"
    exit 75
  fi
  # What the server has not read by then is lost.
  if [ "$(stat -c %s "$here/console.log" 2>/dev/null || echo 0)" -gt 8000000 ]; then : >"$here/console.log"; fi
}

for pair in ip:iproute2 nft:nftables ping:iputils-ping socat:socat "${qemu[0]}":qemu-system; do need "${pair%:*}" "${pair##*:}"; done
pid_file=${pid_file//%n/$SLURMD_NODENAME}
pid_file=${pid_file//%h/$(hostname)}
trap leave EXIT
trap 'exit 0' TERM
trap '[ -z "$machine" ] || kill -KILL "$machine"; ordered=yes' USR1
problem=$(locked join 2>&1) || fail "walt-net cannot be joined: $problem"
in_reach || in_reach || in_reach || fail "no answer to ping from ${controllers[*]}: let ICMP echo pass"
has_slurmd=; slurmd_lives && has_slurmd=yes
seen=$up

for ((n = 0; n < ${#files[@]}; n += 3)); do
  base64 -d <<<"${files[n + 2]}" >"$here/${files[n]}" && truncate -s "${files[n + 1]}" "$here/${files[n]}"
done
# That KVM works, whoever looks after the hosts says: a device may be there, and no machine starts by it.
if [ ${#qemu_kvm[@]} -gt 0 ]; then
  case ,$(sinfo -h -n "$SLURMD_NODENAME" -o %f | head -n 1), in *,kvm,*) qemu=("${qemu_kvm[@]}") ;; esac
fi

early=0
while :; do
  ordered=
  tell "$hash $hash ${EPOCHREALTIME/./}"
  uptime_seconds
  began=$up
  nsenter --net="/run/netns/$net" -- "${qemu[@]}" </dev/null 2>"$here/complaint" &
  machine=$!
  while kill -0 "$machine" 2>/dev/null; do
    sleep 1 &
    wait -n "$machine" $! 2>/dev/null
    watch_out
  done
  machine=
  uptime_seconds
  # It is to be another one: the server starts that, as a job of its own.
  read -r _ next _ <<<"$(timeout 3 squeue -h -j "$SLURM_JOB_ID" -o %k 2>/dev/null)"
  [ -z "$next" ] || [ "$next" = "$hash" ] || exit 0
  if [ -n "$ordered" ] || [ $((up - began)) -ge 5 ]; then
    early=0
  else
    early=$((early + 1))
    [ "$early" -lt 5 ] || fail "QEMU ends at once: $(tail -n 2 "$here/complaint")"
    sleep 1
  fi
done
