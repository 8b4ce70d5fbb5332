/**
 * What a kernel sends by netconsole (Linux, Documentation/networking/netconsole.rst): text of its messages as it is, or, in the
 * extended form, with a head before each. Hostile until it was read here.
 */
import type { Message } from './message.ts';

export const NETCONSOLE = 'netconsole';

const NEWLINE = 0x0a;

/** `[RELEASE,]LEVEL,SEQUENCE,MICROSECONDS,FLAGS[,KEY=VALUE…];`, where flags are `-` or a letter. */
const HEAD = /^(?:\d[\w.+~-]{0,63},)?\d{1,10},\d{1,20},\d{1,20},[-a-z](?:,[a-z_]{1,20}=[^,;\n]{0,64}){0,8};/;
const MAX_HEAD = 800;

/** `now`: microseconds. The kernel's own time counts from its start. */
export function readNetconsole(bytes: Buffer, now: number): Message {
  const head = HEAD.exec(bytes.toString('latin1', 0, MAX_HEAD))?.[0].length ?? 0;
  const lines: Buffer[] = [];
  for (let from = head; from < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, from);
    const to = end === -1 ? bytes.length : end;
    if (to > from) lines.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return { stream: NETCONSOLE, time: now, lines };
}
