/** The one line of text that SSH passes to the shell of the other side. */
import { shellWord } from './config.ts';

/** One word is a line of shell, as with ssh; several are passed on exactly as they are. */
export function shellLine(words: readonly string[]): string {
  const [only, ...more] = words;
  return more.length === 0 ? (only ?? '') : words.map(shellWord).join(' ');
}

/**
 * The same line, watched: when our side goes away, standard input ends, and the command with all its children is told to
 * end. Without that, sshd leaves a command without a terminal running (it only closes its pipes). The command itself reads
 * from /dev/null. A node without setsid (util-linux and busybox have it) loses the children's part.
 */
export function watchedLine(words: readonly string[]): string {
  return `exec sh -c ${shellWord(WATCH)} walt-run ${shellWord(shellLine(words))}`;
}

const WATCH = `
exec 3<&0 </dev/null
run=
command -v setsid >/dev/null 2>&1 && run=setsid
$run "\${SHELL:-/bin/sh}" -c "$1" 3<&- &
command=$!
{ cat <&3; kill -TERM "-$command" || kill -TERM "$command"; } >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$command"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`.trim();
