/** What a machine says of itself when it asks DHCP for an address (RFC 2131, options in RFC 2132). Pure. */
import { optionsOf } from './dhcp-packet.ts';

/** A request as it was sent. All text is bounded and printable ASCII: other bytes are shown as `\xNN`. */
export interface DhcpRequest {
  mac: string;
  /** The name that it wishes (option 12). */
  hostname: string | null;
  /** Option 60: the kind of client, as `PXEClient:Arch:00007:UNDI:003016`. */
  vendorClass: string | null;
  /** Option 77 (RFC 3004), as `iPXE`. */
  userClass: string | null;
  /** Option 93 (RFC 4578): the kind of firmware. */
  architecture: number | null;
  /** Option 97 (RFC 4578): what names the machine, whichever adapter asks. 32 hexadecimal digits. */
  uuid: string | null;
}

/** Characters of a text: a name of DNS may have 63, a vendor class rarely more. */
const MAX_TEXT = 128;
const BOOTREQUEST = 1;
const ETHERNET = 1;
const OPTION = { hostname: 12, messageType: 53, vendorClass: 60, userClass: 77, architecture: 93, uuid: 97 };
const DISCOVER = 1;
const REQUEST = 3;

/** Undefined for what is no request for an address by an Ethernet adapter. */
export function parseDhcpRequest(packet: Buffer): DhcpRequest | undefined {
  const options = optionsOf(packet);
  if (!options || packet[0] !== BOOTREQUEST || packet[1] !== ETHERNET || packet[2] !== 6) return undefined;
  const type = options.get(OPTION.messageType)?.[0];
  if (type !== DISCOVER && type !== REQUEST) return undefined;
  const address = packet.subarray(28, 34);
  // Nobody has a group's address, or none.
  if (((address[0] ?? 1) & 1) === 1 || address.every((byte) => byte === 0)) return undefined;
  const architecture = options.get(OPTION.architecture);
  return {
    mac: [...address].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
    hostname: textOf(options.get(OPTION.hostname)),
    vendorClass: textOf(options.get(OPTION.vendorClass)),
    userClass: userClassOf(options.get(OPTION.userClass)),
    architecture: architecture && architecture.length >= 2 ? architecture.readUInt16BE(0) : null,
    uuid: uuidOf(options.get(OPTION.uuid)),
  };
}

/** Bytes of others as text that steers nothing. Null when there are none. */
export function textOf(bytes: Buffer | undefined): string | null {
  if (!bytes) return null;
  const trimmed = bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
  if (trimmed.length === 0) return null;
  const text = [...trimmed].map((byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  );
  const whole = text.join('');
  return whole.length <= MAX_TEXT ? whole : `${whole.slice(0, MAX_TEXT)}…`;
}

/** A list of words, each behind its length; or just a word, as iPXE and others send it. */
function userClassOf(bytes: Buffer | undefined): string | null {
  if (!bytes) return null;
  const words: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 1 + (bytes[at] ?? 0);
    if (end === at + 1 || end > bytes.length) return textOf(bytes);
    words.push(bytes.subarray(at + 1, end));
    at = end;
  }
  return textOf(
    Buffer.concat(words.flatMap((word, index) => (index === 0 ? [word] : [Buffer.from(','), word]))),
  );
}

function uuidOf(bytes: Buffer | undefined): string | null {
  // Its first byte is the kind, and only one kind is known.
  if (bytes?.length !== 17 || bytes[0] !== 0) return null;
  const value = bytes.subarray(1);
  // Boards whose maker wrote none.
  if (value.every((byte) => byte === 0) || value.every((byte) => byte === 0xff)) return null;
  return value.toString('hex');
}
