# What a machine tells of itself that is, or is to be, a host. In front of host-program.sh, which tells of the variables.
root=/var/lib/walt-host
cache=/var/cache/walt-host
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C

runs() { [ -n "$(grep -lx -e "$1" /proc/[0-9]*/comm 2>/dev/null)" ]; }

# Lines NAME VALUE, as host-facts.ts reads them. What cannot be told yet is `unknown`.
facts() {
  echo "time $(date +%s.%N)"
  (
    . /etc/os-release 2>/dev/null
    echo "os ${ID:-none}"
    echo "release ${VERSION_ID:-unknown}"
  )
  echo "kernel $(uname -r)"
  echo "architecture $(dpkg --print-architecture 2>/dev/null || uname -m)"
  awk '$1 == "MemTotal:" { print "memory " int($2 / 1024) }' /proc/meminfo
  echo "space $(free_on /var)"
  [ ! -e "$root/owner" ] || echo "owner $(cat "$root/owner")"
  other_slurm
  echo "missing $(missing)"
  echo "lacking $(lacking)"
  echo "slurm $(slurm_version)"
  network_facts
  copies_facts
}

# MiB.
free_on() { df -Pm "$1" | awk 'NR == 2 { print $4 }'; }

# One that is not ours.
other_slurm() {
  for file in /etc/slurm/slurm.conf /etc/slurm-llnl/slurm.conf; do
    [ ! -e "$file" ] || echo "other $file"
  done
  for daemon in slurmd slurmctld; do
    [ -e "$root/owner" ] || ! runs "$daemon" || echo "other $daemon"
  done
}

missing() {
  for package in $packages; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
  done
}

# Those of them that apt does not know where to get.
lacking() {
  wanted=$(missing)
  # shellcheck disable=SC2086 # a list of names
  known=$(apt-cache policy -- $wanted 2>/dev/null | awk '/^[^ ]/ { name = $1 } $1 == "Candidate:" && $2 != "(none)" { print name }')
  for package in $wanted; do
    printf '%s\n' "$known" | grep -qx -e "$package:" || printf '%s ' "$package"
  done
}

# Of the package that there is, or would be.
slurm_version() {
  dpkg-query -W -f '${Version}' slurmd 2>/dev/null | grep . && return
  apt-cache policy slurmd 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2; found = 1 } END { if (!found) print "unknown" }'
}

network_facts() {
  if command -v ip >/dev/null; then
    echo "address $(ip -o route get "$server" 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')"
    # No device can have that MTU, so none is made; that there is no such kind, the kernel says first.
    case "$(ip link add name walt-try mtu 1 type vxlan id 1 remote 192.0.2.1 dstport 4789 2>&1)" in
      *'Unknown device type'* | *'not supported'*) echo 'vxlan no' ;;
      *) echo 'vxlan yes' ;;
    esac
  else
    printf '%s\n' 'address unknown' 'vxlan unknown'
  fi
  if command -v ping >/dev/null; then
    if ping -n -q -c 1 -W 2 "$server" >/dev/null 2>&1; then echo 'ping yes'; else echo 'ping no'; fi
  fi
  # dash knows no TCP.
  if timeout 15 bash -c 'exec 3<>"/dev/tcp/$1/6817"' bash "$server" 2>/dev/null; then
    echo 'controller yes'
  else
    echo 'controller no'
  fi
}

# Where copies of volumes would lie. Those that are there take no more room.
copies_facts() {
  taken=$(du -sm "$cache" 2>/dev/null | cut -f 1)
  echo "copies $(($(free_on /var/cache) + ${taken:-0}))"
  if [ "$(stat -c %d /var/cache)" = "$(stat -c %d /var)" ]; then echo 'shared yes'; else echo 'shared no'; fi
  if command -v losetup >/dev/null; then
    if losetup --find >/dev/null 2>&1; then echo 'loop yes'; else echo 'loop no'; fi
  fi
}
