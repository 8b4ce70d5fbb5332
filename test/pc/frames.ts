/** What a machine asks while it starts, read from its Ethernet frames; and how iPXE in an adapter is made a common boot ROM. */

const IPV4 = 0x0800;
const UDP = 17;
const TCP = 6;
const DHCP_SERVER = 67;
const TFTP = 69;
const HTTP = 80;
/** Bytes of a DHCP message before its first option (RFC 2131 section 2, with the cookie). */
const DHCP_HEAD = 240;

interface Datagram {
  protocol: number;
  from: number;
  /** Where it goes. */
  port: number;
  payload: Buffer;
  /** Of UDP: where its checksum is in the frame. */
  checksum: number;
}

function datagramOf(frame: Buffer): Datagram | undefined {
  if (frame.length < 42 || frame.readUInt16BE(12) !== IPV4) return undefined;
  const head = 14 + (frame.readUInt8(14) & 15) * 4;
  const protocol = frame.readUInt8(23);
  const end = 14 + frame.readUInt16BE(16);
  if ((protocol !== UDP && protocol !== TCP) || frame.length < head + 20) return undefined;
  const data = head + (protocol === UDP ? 8 : (frame.readUInt8(head + 12) >> 4) * 4);
  const payload = frame.subarray(data, end);
  const [from, port] = [frame.readUInt16BE(head), frame.readUInt16BE(head + 2)];
  return { protocol, from, port, payload, checksum: head + 6 };
}

/** The options of a DHCP message: where each begins, its number and its value. */
function dhcpOptions(message: Buffer): { at: number; code: number; value: Buffer }[] {
  const options = [];
  for (let at = DHCP_HEAD; at + 1 < message.length && message[at] !== 255; ) {
    const code = message.readUInt8(at);
    const length = code === 0 ? -1 : message.readUInt8(at + 1);
    options.push({ at, code, value: message.subarray(at + 2, at + 2 + length) });
    at += 2 + length;
  }
  return options;
}

/** What a frame asks the server for: `dhcp CLASS`, `tftp NAME`, `http METHOD PATH`. Undefined: nothing of that. */
export function questionOf(frame: Buffer): string | undefined {
  const datagram = datagramOf(frame);
  if (!datagram) return undefined;
  const { protocol, port, payload } = datagram;
  if (protocol === UDP && port === DHCP_SERVER) {
    const vendorClass = dhcpOptions(payload).find(({ code }) => code === 60)?.value;
    const user = isIpxe(payload) ? ' iPXE' : '';
    return `dhcp ${vendorClass?.toString('latin1') ?? ''}${user}`;
  }
  if (protocol === UDP && port === TFTP) {
    return `tftp ${payload.toString('latin1', 2).split('\0')[0]}`;
  }
  const request =
    protocol === TCP && port === HTTP && /^(GET|HEAD) (\S+) HTTP/.exec(payload.toString('latin1'));
  return request ? `http ${request[1]} ${request[2]}` : undefined;
}

/** Bytes that the server is about to send in answer to a request, by the head of its answer. */
export function answerOf(frame: Buffer): number | undefined {
  const datagram = datagramOf(frame);
  if (datagram?.protocol !== TCP || datagram.from !== HTTP) return undefined;
  const [, size] =
    /^HTTP\/1\.1 200 .*?content-length: (\d+)/is.exec(datagram.payload.toString('latin1')) ?? [];
  return size === undefined ? undefined : Number(size);
}

function isIpxe(message: Buffer): boolean {
  return dhcpOptions(message).some(({ code }) => IPXES_OWN.includes(code));
}

/** User class, and what only iPXE sends. */
const IPXES_OWN = [77, 175];

/** Takes from a DHCP question all that tells it from one of a boot ROM of other makers, where the frame is one. Changes it in place. */
export function disguise(frame: Buffer): void {
  const datagram = datagramOf(frame);
  if (datagram?.protocol !== UDP || datagram.port !== DHCP_SERVER) return;
  for (const { at, code, value } of dhcpOptions(datagram.payload)) {
    // Pads, option by option (RFC 2132 section 3.1).
    if (IPXES_OWN.includes(code)) datagram.payload.fill(0, at, at + 2 + value.length);
  }
  // Then there is none (RFC 768).
  frame.writeUInt16BE(0, datagram.checksum);
}
