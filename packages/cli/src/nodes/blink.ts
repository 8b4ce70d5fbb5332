/** What runs on a node that is to blink: POSIX sh. */

/** Where images have a program for it, and where the kernel has the lights of a board. */
export const BLINK_PROGRAM = '/bin/blink';
export const LEDS = '/sys/class/leds';

/** What the script says first, on a line of its own. */
export const NOTHING = 'nothing';

/**
 * Blinks for SECONDS, or until it is told to end: by PROGRAM, which takes 1 and 0, else with a light of folder LEDS, which is given
 * back as it was. Lights of keyboards (`input3::capslock`) are not taken: virtual nodes have them, too. Says which it is.
 */
export const BLINK = `
seconds=$1 program=$2 leds=$3 light= loop=
if [ -x "$program" ]; then
  begin() { "$program" 1; }
  finish() { "$program" 0; }
  way=$program
else
  for one in "$leds/ACT" "$leds/led0" "$leds"/*:act* "$leds"/*; do
    case \${one##*/} in input*) continue ;; esac
    if [ -w "$one/brightness" ] && [ -w "$one/trigger" ]; then light=$one; break; fi
  done
  if [ -z "$light" ]; then echo ${NOTHING}; exit 1; fi
  trigger=$(cat "$light/trigger") level=$(cat "$light/brightness") most=$(cat "$light/max_brightness")
  trigger=\${trigger#*[} trigger=\${trigger%%]*}
  begin() {
    echo none >"$light/trigger" || exit
    while :; do
      echo "$most" >"$light/brightness"; sleep 1
      echo 0 >"$light/brightness"; sleep 1
    done >/dev/null 2>&1 &
    loop=$!
  }
  finish() {
    # A signal may come before its number is noted.
    loop=\${loop:-$!}
    kill "$loop"; wait "$loop"
    echo "$level" >"$light/brightness"
    echo "$trigger" >"$light/trigger"
  } 2>/dev/null
  way=\${light##*/}
fi
pause=
trap 'trap "" HUP INT TERM; [ -z "$pause" ] || kill "$pause" 2>/dev/null; finish' EXIT
trap 'exit 0' HUP INT TERM
echo "$way"
begin || exit
sleep "$seconds" >/dev/null 2>&1 &
pause=$!
wait "$pause"
`.trim();
