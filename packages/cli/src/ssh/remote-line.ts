/** The one line of text that SSH passes to the shell of the other side. */
import { shellWord } from './config.ts';

/** One word is a line of shell, as with ssh; several are passed on exactly as they are. */
export function shellLine(words: readonly string[]): string {
  const [only, ...more] = words;
  return more.length === 0 ? (only ?? '') : words.map(shellWord).join(' ');
}

/**
 * The same line, watched: when our side goes away, standard input ends, and the command with all its children is told to
 * end. Without that, sshd leaves a command without a terminal running (it only closes its pipes). The first `input` bytes that we
 * send are the command's own standard input; what follows is only watched. A node without setsid (util-linux and busybox have it)
 * loses the children's part.
 */
export function watchedLine(words: readonly string[], input = 0): string {
  return `exec sh -c ${shellWord(WATCH)} walt-run ${shellWord(shellLine(words))} ${input}`;
}

const WATCH = `
exec 3<&0 </dev/null
run= input=/dev/null folder=
command -v setsid >/dev/null 2>&1 && run=setsid
if [ "$2" -gt 0 ]; then
  folder=$(mktemp -d) && input=$folder/input && mkfifo "$input" || exit 1
fi
$run "\${SHELL:-/bin/sh}" -c "$1" <"$input" 3<&- &
command=$!
{ [ -z "$folder" ] || head -c "$2" <&3 >"$input"; cat <&3; kill -TERM "-$command" || kill -TERM "$command"; } >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$command"
status=$?
kill "$watcher" 2>/dev/null
[ -z "$folder" ] || rm -rf -- "$folder"
exit "$status"
`.trim();
