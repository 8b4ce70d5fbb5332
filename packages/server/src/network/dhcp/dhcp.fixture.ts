/** Packets of DHCP clients (RFC 2131 section 2). */

/** `type`: 1 discover, 3 request. The options stand behind it. */
export function dhcpRequest(
  mac: string,
  options: readonly [number, Buffer | string][] = [],
  type = 1,
): Buffer {
  const fixed = Buffer.alloc(236);
  fixed.set([1, 1, 6]);
  fixed.writeUInt32BE(Math.floor(Math.random() * 2 ** 32), 4);
  // To be answered by broadcast.
  fixed.writeUInt16BE(0x8000, 10);
  fixed.set(Buffer.from(mac.replaceAll(':', ''), 'hex'), 28);
  const parts = options.map(([code, value]) => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.from([code, bytes.length]), bytes]);
  });
  return Buffer.concat([fixed, Buffer.from([99, 130, 83, 99, 53, 1, type]), ...parts, Buffer.from([255])]);
}
