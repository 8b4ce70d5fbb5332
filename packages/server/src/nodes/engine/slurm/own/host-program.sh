# Makes a Debian machine a host, and undoes it. `walt-server host add` and `remove` run it there, behind host-facts.sh, by a shell that
# reads both from ssh; a copy stays in $root and starts the host with the machine where systemd does not run. host-steps.ts puts these in
# front:
#   platform name       whose host it is, and what Slurm calls it
#   server              address of the server's machine
#   packages            that a host needs
#   services            PACKAGE:UNIT of systemd's that such packages would start, and that nobody needs
#   run                 folder of sockets and process numbers; slurm.conf names it
# and for `start` also:
#   key                 munge's, in base64: no argument of a program ever has it
#   features            that Slurm is to know of
#   memory              MiB that jobs may have; empty: what the machine itself does not need
#   program             this text
unit=/etc/systemd/system/walt-slurmd.service
init=/etc/init.d/walt-host
munge_key=/etc/munge/munge.key
munge_socket=/run/munge/munge.socket.2
export DEBIAN_FRONTEND=noninteractive

systemd_runs() { [ -d /run/systemd/system ]; }

# Where nothing was made yet, all is undone unless `keep` follows: also when the connection breaks.
begin() {
  [ ! -e "$root/owner" ] || return 0
  mkdir -p "$root" && chmod 700 "$root" || return
  # What other programs print must not end this shell when nobody listens.
  trap 'undo purge >/dev/null 2>&1 </dev/null' EXIT
  printf '%s %s\n' "$platform" "$name" >"$root/owner"
}

keep() { trap - EXIT; }

installed() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | sort -u; }

install_missing() {
  wanted=$(missing)
  [ -n "$wanted" ] || return 0
  installed >"$root/before"
  mask_services || return
  # Lists of others may be out of reach: whether it matters, the installation tells.
  apt-get -o DPkg::Lock::Timeout=300 update
  # shellcheck disable=SC2086 # a list of names
  apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends -- $wanted || return
  note_packages
}

# What came beside those that were asked for counts, too.
note_packages() {
  installed | comm -13 "$root/before" - >>"$root/packages" && rm "$root/before"
}

# Before their packages come, so that they are not even started once. Those of packages that were there are somebody's.
mask_services() {
  for pair in $services; do
    link=/etc/systemd/system/${pair#*:}
    ! grep -qx -e "${pair%:*}" "$root/before" && [ ! -e "$link" ] && [ ! -L "$link" ] || continue
    mkdir -p "${link%/*}" && ln -s /dev/null "$link" && echo "$link" >>"$root/masked" || return
  done
}

# Whoever wants a service of a package that stays, starts it himself.
unmask_services() {
  [ -e "$root/masked" ] || return 0
  while read -r link; do
    rm -f "$link"
    systemctl disable "${link##*/}"
  done <"$root/masked"
  ! systemd_runs || systemctl daemon-reload
}

start() {
  printf '%s\n' "$program" >"$root/program.new" && mv "$root/program.new" "$root/program" || return
  start_munge && write_slurmd && write_undo || return
  if systemd_runs; then
    write_unit && systemctl daemon-reload && systemctl enable walt-slurmd && systemctl restart walt-slurmd
  else
    write_init && sh "$init" restart
  fi
}

start_munge() {
  (
    umask 077
    printf '%s' "$key" | base64 -d >"$root/munge.key"
  ) || return
  if ! cmp -s "$root/munge.key" "$munge_key"; then
    if [ ! -e "$root/munge.saved" ]; then
      [ ! -e "$munge_key" ] || cp -p "$munge_key" "$root/munge.key.before" || return
      if runs munged; then echo ran; fi >"$root/munge.saved"
    fi
    install -d -o munge -g munge -m 700 /etc/munge && install -o munge -g munge -m 400 "$root/munge.key" "$munge_key" || return
  fi
  rm "$root/munge.key"
  restart_munge
}

restart_munge() {
  if systemd_runs; then
    systemctl enable munge && systemctl restart munge
  else
    stop_munge
    install -d -o munge -g munge -m 755 /run/munge && runuser -u munge -- munged
  fi
}

stop_munge() {
  if systemd_runs; then systemctl stop munge; else munged --stop; fi >/dev/null 2>&1
  return 0
}

# As it was before.
give_munge_back() {
  stop_munge
  rm -f "$munge_key"
  [ ! -e "$root/munge.key.before" ] || cp -p "$root/munge.key.before" "$munge_key"
  if [ -s "$root/munge.saved" ]; then
    restart_munge
  elif systemd_runs; then
    systemctl disable munge
  fi
}

write_slurmd() {
  # For the machine itself, and what belongs to no node.
  [ -n "$memory" ] || memory=$(awk '$1 == "MemTotal:" { print int($2 / 1024) - 512 }' /proc/meminfo)
  cat >"$root/slurmd" <<END
#!/bin/sh
# A host of WalT, made by walt-server host add. To undo it here: sh $root/undo
mkdir -p $run && ln -sfn $munge_socket $run/munge
exec slurmd -D -Z -N $name --conf-server $server --conf 'RealMemory=$memory Feature=$features'
END
}

# For a host whose server is gone.
write_undo() {
  printf '%s\n' "run=$run" ". $root/program" 'undo "$@"' >"$root/undo"
}

write_unit() {
  cat >"$unit" <<END
[Unit]
Description=Host of WalT
After=network-online.target munge.service
Wants=network-online.target munge.service
StartLimitIntervalSec=0

[Service]
ExecStart=/bin/sh $root/slurmd
# Nodes go on without it.
KillMode=process
Restart=always
RestartSec=1
LimitNOFILE=131072
LimitMEMLOCK=infinity
Delegate=yes
TasksMax=infinity

[Install]
WantedBy=multi-user.target
END
}

# Where something else than systemd starts the machine.
write_init() {
  cat >"$init" <<END && chmod 755 "$init" || return
#!/bin/sh
### BEGIN INIT INFO
# Provides:          walt-host
# Required-Start:    \$network \$remote_fs
# Required-Stop:     \$network \$remote_fs
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: host of WalT
### END INIT INFO
run=$run
. $root/program
case "\$1" in
  start) stop_plain && start_plain ;;
  stop) stop_plain ;;
  restart) stop_plain && start_plain ;;
esac
END
  if command -v update-rc.d >/dev/null; then update-rc.d walt-host defaults; fi
}

start_plain() {
  restart_munge || return
  mkdir -p "$run" || return
  setsid sh -c 'while :; do sh "$0"; sleep 1; done' "$root/slurmd" </dev/null >"$root/slurmd.log" 2>&1 &
  echo $! >"$run/host.pid"
}

# Nodes go on.
stop_plain() {
  for file in "$run/host.pid" "$run/slurmd.pid"; do
    read -r pid 2>/dev/null <"$file" || continue
    kill "$pid" 2>/dev/null || continue
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 50 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
    kill -KILL "$pid" 2>/dev/null
  done
  return 0
}

# The last words of slurmd.
why() {
  if systemd_runs; then
    # Not what systemd says of it.
    journalctl _SYSTEMD_UNIT=walt-slurmd.service -n 20 -o cat --no-pager
  else
    tail -n 20 "$root/slurmd.log"
  fi
}

# usage: undo [purge]: takes away all that was made here; with `purge` also packages that were installed for it. Prints those that stay.
undo() {
  trap - EXIT
  if systemd_runs; then
    systemctl disable --now walt-slurmd
    rm -f "$unit"
    systemctl daemon-reload
  else
    stop_plain
    if command -v update-rc.d >/dev/null; then rm -f "$init" && update-rc.d walt-host remove; fi
    rm -f "$init"
  fi >/dev/null 2>&1
  [ ! -e "$root/munge.saved" ] || give_munge_back >/dev/null 2>&1
  [ ! -e "$root/before" ] || note_packages
  ours=$(cat "$root/packages" 2>/dev/null)
  if [ -n "$ours" ] && [ "${1:-}" = purge ]; then
    # shellcheck disable=SC2086 # a list of names
    apt-get -o DPkg::Lock::Timeout=300 purge -y -- $ours >/dev/null || return
  elif [ -n "$ours" ]; then
    # shellcheck disable=SC2086 # a list of names
    echo $ours
  fi
  unmask_services >/dev/null 2>&1
  rm -f /run/slurm/conf
  # Without its file, a job that still serves copies ends.
  rm -rf "$run" "$root" "$cache"
  rm -f /run/walt-host/*.lock
  rmdir /run/slurm /run/walt-host "${run%/*}" 2>/dev/null
  return 0
}
