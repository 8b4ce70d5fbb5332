/** A message of syslog: RFC 5424, or RFC 3164 as devices send it. Hostile until it was read here. */

/** RFC 5424, 6.2.1; names as logger(1) has them. */
const FACILITIES = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['ntp', 'audit', 'alert', 'clock'],
  ...['local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
];
const SEVERITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];
/** Of what has none (RFC 3164, 4.3.3): user.notice. */
const USUAL_PRIORITY = 13;

/** Streams of syslog; those with the name of a program behind a point. */
export const SYSLOG = 'syslog';
/** Characters of a program's name (RFC 5424, 6: APP-NAME). */
const MAX_APP = 48;

/** Microseconds around the arrival in which a message's own time is believed: it may have waited at its sender. */
const OLDEST = 86_400e6;
const AHEAD = 1e6;

export interface Message {
  stream: string;
  /** Microseconds of Unix time. */
  time: number;
  /** None has a newline. */
  lines: Buffer[];
}

/** Where the text begins, and what is said before it. */
interface Head {
  length: number;
  app?: string | undefined;
  time?: number | undefined;
  /** Process, kind of message, structured data. */
  words: string[];
}

/** Whatever the bytes are, they are lines. `now`: microseconds. */
export function readMessage(bytes: Buffer, now: number): Message {
  const { length, priority } = readPriority(bytes);
  const rest = bytes.subarray(length);
  // What has no UTF-8 in it keeps its length.
  const { length: headLength, app, time, words } = readHead(rest.toString('latin1'));
  const text = withoutMark(rest.subarray(headLength));
  const level = `${FACILITIES[priority >> 3]}.${SEVERITIES[priority & 7]}`;
  const isBelieved = time !== undefined && time > now - OLDEST && time < now + AHEAD;
  return {
    stream: app === undefined || app === '' ? SYSLOG : `${SYSLOG}.${streamName(app)}`,
    time: isBelieved ? time : now,
    lines: linesOf(Buffer.from([level, ...words].join(' '), 'latin1'), text),
  };
}

function readPriority(bytes: Buffer): { length: number; priority: number } {
  const match = /^<(0|[1-9]\d{0,2})>/.exec(bytes.toString('latin1', 0, 5));
  const [whole = '', digits = ''] = match ?? [];
  const priority = Number(digits);
  if (!match || priority >= FACILITIES.length * 8) return { length: 0, priority: USUAL_PRIORITY };
  return { length: whole.length, priority };
}

function readHead(text: string): Head {
  return readNewHead(text) ?? readOldHead(text) ?? { length: 0, words: [] };
}

/** RFC 5424, 6: VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA, `-` for what is not told. */
function readNewHead(text: string): Head | undefined {
  const match = /^1 (\S{1,40}) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) /.exec(text);
  if (!match) return undefined;
  const [head, time = '', , app, process = '-', kind = '-'] = match;
  const length = dataLength(text, head.length);
  if (length === undefined) return undefined;
  const words = [process, kind, text.slice(head.length, head.length + length)];
  const end = head.length + length;
  return {
    length: text[end] === ' ' ? end + 1 : end,
    app: app === '-' ? undefined : app,
    time: readTime(time),
    words: words.filter((word) => word !== '-'),
  };
}

/** STRUCTURED-DATA: `-`, or `[NAME PARAM="VALUE"…]…`, where `"`, `\` and `]` of a value stand behind a `\`. Undefined: it is none. */
function dataLength(text: string, from: number): number | undefined {
  const isEnd = (at: number) => at === text.length || text[at] === ' ';
  if (text[from] === '-') return isEnd(from + 1) ? 1 : undefined;
  const element = /\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\[\s\S])*")*\]/y;
  let end = from;
  for (element.lastIndex = end; element.test(text); ) end = element.lastIndex;
  return end > from && isEnd(end) ? end - from : undefined;
}

/** RFC 5424, 6.2.3. */
function readTime(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const [, second, fraction = '', zone] = match ?? [];
  const time = second === undefined ? Number.NaN : new Date(`${second}${zone}`).getTime();
  return Number.isNaN(time) ? undefined : time * 1000 + Number(fraction.padEnd(6, '0'));
}

/**
 * RFC 3164, 4.1: `Mmm dd hh:mm:ss HOST TAG[PID]: TEXT`. Its time has neither a year nor a zone: that of the arrival is better. What looks
 * otherwise is kept whole: each maker of switches has a form of his own.
 */
function readOldHead(text: string): Head | undefined {
  const match =
    /^ ?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,6})? (?:[!-~]{0,254}[!-9;-~] )?(?:([A-Za-z0-9._/-]{1,48})(?:\[([!-Z^-~]{1,128})\])?: ?)?/.exec(
      text,
    );
  if (!match) return undefined;
  const [{ length }, app, process] = match;
  return { length, app, words: process === undefined ? [] : [process] };
}

/** UTF-8's byte order mark (RFC 5424, 6.4: MSG-UTF8), and what ends a message for some senders. */
function withoutMark(text: Buffer): Buffer {
  const from = text.subarray(0, 3).equals(MARK) ? 3 : 0;
  let to = text.length;
  while (to > from && ENDS.has(text[to - 1] ?? -1)) to -= 1;
  return text.subarray(from, to);
}

const MARK = Buffer.from([0xef, 0xbb, 0xbf]);
/** NUL, newline, carriage return. */
const ENDS: ReadonlySet<number> = new Set([0x00, 0x0a, 0x0d]);

/** The first one with the head. */
function linesOf(head: Buffer, text: Buffer): Buffer[] {
  if (text.length === 0) return [head];
  const lines: Buffer[] = [];
  let from = 0;
  for (let to = text.indexOf(0x0a); to !== -1; to = text.indexOf(0x0a, from)) {
    lines.push(text.subarray(from, to));
    from = to + 1;
  }
  lines.push(text.subarray(from));
  const [first = Buffer.alloc(0), ...others] = lines;
  return [Buffer.concat([head, SEPARATOR, first]), ...others];
}

const SEPARATOR = Buffer.from(': ');

function streamName(app: string): string {
  return app.slice(0, MAX_APP).replaceAll(/[^A-Za-z0-9._:/+@-]/g, '_');
}
