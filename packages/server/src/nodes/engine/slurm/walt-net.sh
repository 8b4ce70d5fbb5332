# How jobs of the platform on a host are on walt-net. In front of what they run (run-machine.sh, volumes/serve-volumes.sh); before it:
#   platform id           whose job it is, and which of its jobs
#   server port           the other end of this host's tunnel
# All that it makes on the host is a network namespace, a folder in /run and a table of nftables. They go with the last job.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
net=walt-$platform
root=/run/walt-host/$platform
here=$root/$id
vni=$((16#$(printf '%s %s' "$platform" "$SLURMD_NODENAME" | sha256sum | cut -c 1-6)))

need() {
  command -v "$1" >/dev/null || fail "the program $1 is missing: install the package $2"
}

# Sets $up.
uptime_seconds() { read -r up _ </proc/uptime; up=${up%%.*}; }

inside() { nsenter --net="/run/netns/$net" -- "$@"; }

# One job at a time joins or leaves: whoever is the last takes all down.
locked() {
  mkdir -p -m 700 /run/walt-host
  { flock 9 && "$@"; } 9>"/run/walt-host/$platform.lock"
}

join_net() {
  if ! [ -e "/run/netns/$net" ]; then
    ip netns add "$net" && ip -n "$net" link set lo up || return
    # Nothing of this host speaks on walt-net by itself.
    inside sh -c '[ ! -e /proc/sys/net/ipv6 ] || echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
  fi
  if ! ip -n "$net" link show dev walt0 >/dev/null 2>&1; then
    ip -n "$net" link add name walt0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0 || return
  fi
  if ! ip -n "$net" link show dev uplink >/dev/null 2>&1; then
    # Without `dev`, what is too large for the way to the server is cut in pieces, and packets of 1500 bytes pass.
    ip link add name uplink netns "$net" mtu 1500 type vxlan id "$vni" remote "$server" dstport "$port" || return
  fi
  ip -n "$net" link set dev uplink master walt0 up && ip -n "$net" link set dev walt0 up || return
  # The kernel takes such frames from everybody.
  nft -f - <<END
add table inet $net
delete table inet $net
table inet $net {
  chain input {
    type filter hook input priority -10; policy accept;
    udp dport $port @th,96,24 $vni ip saddr != $server drop
  }
}
END
}

# After the folder of the job is gone.
leave_net() {
  # shellcheck disable=SC2012 # ids are words of ours
  ls -d "$root"/*/ && return
  ip -n "$net" link delete dev uplink
  ip netns delete "$net"
  nft delete table inet "$net"
  rm -rf "$root"
}
