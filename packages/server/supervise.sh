#!/bin/sh
# Keeps the server running, and outlives it: starts it again at once when it ends unexpectedly, later when it ends again and again.
# usage: supervise.sh SERVING CRASHES JOURNAL COMMAND...
#   SERVING  the server makes this file once it serves
#   CRASHES  gets a line for each unexpected end: TIME (Unix, seconds) · STATUS · SECONDS that it lived · REASON
#   JOURNAL  gets all output
# SIGTERM: ends the server, then itself with status 0. SIGHUP: the same, with status 75 ("start me again": systemd does).
# SIGCONT: starts it now, however often it ended. (That signal does nothing to one that is not listening yet.)
# When the first start fails, nothing is repeated: whoever started it is told why.
# A shell, since it waits for weeks: 2 MB instead of Node's 45.
set -u
serving=$1 crashes=$2 journal=$3
shift 3
exec 3>&1 </dev/null >>"$journal" 2>&1
umask 022
cd / # no folder, and no disk, is in use because somebody stood there
ulimit -c 0 # a core holds secrets
# Each connection is an open file; Node raises the soft limit to the hard one.
ulimit -n 65536 2>/dev/null || true
export WALT_SUPERVISOR=$$

# Where systemd reads what we print, it gets the journal's lines too, with the priorities that it knows (systemd.exec(5), JOURNAL_STREAM; sd-daemon(3)).
if [ "${JOURNAL_STREAM:-}" = "$(stat -L -c %d:%i /proc/self/fd/3)" ]; then
  from=$(($(stat -c %s -- "$journal") + 1))
  # What the first one prints is that the log was put aside.
  setpriv --pdeathsig TERM -- tail -c "+$from" -F -- "$journal" 2>/dev/null |
    LC_ALL=C sed -u -e 's/^[^ ]* error /<3>&/' -e 's/^[^ ]* warn /<4>&/' >&3 &
fi
exec 3>&-
unset JOURNAL_STREAM

server='' pause='' ended='' woken='' failures=0 first=1

# Ends a child. Between fork and exec it is still this script, and would take the signal for its own, and lose it.
finish() {
  while cmp -s "/proc/$1/cmdline" "/proc/$$/cmdline"; do sleep 0.01; done
  kill -s TERM "$1" 2>/dev/null
}
end() {
  ended=$1
  if [ -n "$server" ]; then finish "$server"; fi
  if [ -n "$pause" ]; then finish "$pause"; fi
}
now() {
  failures=0 woken=1
  if [ -n "$pause" ]; then finish "$pause"; fi
}
trap 'end 0' TERM INT
trap 'end 75' HUP
trap now CONT

# To systemd, where it runs us. As long as we start servers, we do not hang; from then on, they say it themselves.
tell() {
  if [ -n "${NOTIFY_SOCKET:-}" ]; then systemd-notify WATCHDOG=1 "$@"; fi
}

say() { echo "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ) $*"; }

# Waits for a child, also when a signal comes meanwhile. Its status is in $status.
await() {
  while :; do
    wait "$1" 2>/dev/null # dash would say "Killed"
    status=$?
    kill -s 0 "$1" 2>/dev/null || return 0
  done
}

# The first words of the server on what was wrong, since its last start.
reason() {
  said=$(tail -c 65536 -- "$journal" | LC_ALL=C awk '
    / info supervisor the server starts$/ { text = ""; next }
    text == "" && (/^FATAL ERROR: / || /^walt-server: / || / error server /) {
      text = $0
      sub(/^[^ ]+ error server /, "", text)
      sub(/\\n.*/, "", text)
    }
    END { print substr(text, 1, 300) }')
  if [ -n "$said" ]; then echo "$said"
  elif [ "$status" -gt 128 ]; then echo "killed by signal $((status - 128))"
  else echo "exit status $status"; fi
}

# What the server ran and the kernel did not end with it: a second for those that clean up, then they are killed. They are of its
# session, and as long as one is left, the number is not given to another.
sweep() {
  round=0
  while kill -s 0 -- "-$1" 2>/dev/null; do
    if [ "$round" -ge 8 ]; then kill -s KILL -- "-$1" 2>/dev/null; return; fi
    sleep 0.1
    round=$((round + 1))
  done
}

note() {
  why=$(reason)
  say "error supervisor the server ended status=$status lived=$lived failures=$failures reason=\"$(echo "$why" | tr -d '"\\')\""
  tell --status="The server ended: $why"
  { tail -n 99 -- "$crashes" 2>/dev/null; echo "$(date +%s) $status $lived $why"; } >"$crashes.tmp" && mv -- "$crashes.tmp" "$crashes"
}

# Seconds to wait after so many ends in a row.
delay() {
  case $1 in 0 | 1 | 2 | 3) echo 0 ;; 4) echo 1 ;; 5) echo 2 ;; 6) echo 4 ;; 7) echo 8 ;; 8) echo 15 ;; *) echo 30 ;; esac
}

while [ -z "$ended" ]; do
  rm -f -- "$serving"
  began=$(date +%s)
  say 'info supervisor the server starts'
  tell
  # A session of its own, whose number is the server's; without job control, setsid becomes the server.
  setsid -- "$@" &
  server=$!
  [ -z "$ended" ] || finish "$server" # told just before
  await "$server"
  lived=$(($(date +%s) - began))
  gone=$server
  server=''
  if [ -n "$ended" ]; then sweep "$gone"; break; fi
  sweep "$gone" &
  served=''
  if [ -e "$serving" ]; then served=1; fi
  if [ -n "$served" ] && [ "$lived" -ge 10 ]; then failures=0; fi
  failures=$((failures + 1))
  note
  if [ -n "$first" ] && [ -z "$served" ]; then exit $((status ? status : 1)); fi
  first=''
  woken=''
  sleep "$(delay "$failures")" &
  pause=$!
  [ -z "$ended$woken" ] || finish "$pause" # told just before
  await "$pause"
  pause=''
done
exit "$ended"
