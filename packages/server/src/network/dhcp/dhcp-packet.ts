/** What all messages of DHCP have in common (RFC 2131 figure 1, RFC 2132). Pure. */

/** Bytes before the options, the cookie among them. */
export const FIXED = 240;
export const COOKIE = Buffer.of(99, 130, 83, 99);

const PAD = 0;
const END = 255;
/** Bytes of an option that is sent in parts (RFC 3396). */
const MAX_OPTION = 255;

/** By number; parts of one are joined, what is cut off is left out. Undefined: it is no message of DHCP. */
export function optionsOf(packet: Buffer): Map<number, Buffer> | undefined {
  if (packet.length < FIXED || !packet.subarray(FIXED - COOKIE.length, FIXED).equals(COOKIE))
    return undefined;
  const options = new Map<number, Buffer>();
  for (let at = FIXED; at < packet.length; ) {
    const code = packet[at] ?? END;
    if (code === END) break;
    if (code === PAD) {
      at += 1;
      continue;
    }
    const end = at + 2 + (packet[at + 1] ?? 0);
    if (at + 1 >= packet.length || end > packet.length) break;
    const former = options.get(code);
    const value = packet.subarray(at + 2, end);
    options.set(code, former ? Buffer.concat([former, value]).subarray(0, MAX_OPTION) : value);
    at = end;
  }
  return options;
}
