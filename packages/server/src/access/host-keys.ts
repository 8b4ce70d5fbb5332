/**
 * Host keys of nodes and their certificates, made by this process: ssh-keygen would be two processes for each node, whose starts
 * alone hold a large server up for 10 ms. Formats: PROTOCOL.key and PROTOCOL.certkeys of openssh-portable; RFC 4251, section 5.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

const TYPE = 'ssh-ed25519';
const CERTIFICATE_TYPE = 'ssh-ed25519-cert-v01@openssh.com';
const MAGIC = Buffer.from('openssh-key-v1\0');
/** A certificate for a host, and one without an end. */
const HOST = 2;
const FOR_EVER = 0xffff_ffff_ffff_ffffn;
/** Bytes of a private part, and what it is padded to where nothing encrypts it. */
const SEED = 32;
const BLOCK = 8;

/** Who vouches for hosts. */
export interface HostAuthority {
  key: KeyObject;
  /** Its public key, as OpenSSH sends it. */
  publicBlob: Buffer;
}

/** Reads a file of `ssh-keygen -t ed25519`. Throws when it is none, or is encrypted. */
export function readHostAuthority(privateFile: string): HostAuthority {
  const bytes = Buffer.from(privateFile.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  const isOurs = bytes.subarray(0, MAGIC.length).equals(MAGIC);
  const [cipher, , , rest] = isOurs ? strings(bytes.subarray(MAGIC.length), 3) : [];
  if (cipher?.toString() !== 'none' || !rest)
    throw new Error('the key of the authority for hosts is not as ssh-keygen makes it');
  // A number of keys, one; two numbers that tell whether it was decrypted well.
  const [publicBlob = rest, secret = rest] = strings(rest.subarray(4), 2);
  const [, publicPart = rest, privatePart = rest] = strings(secret.subarray(8), 3);
  const seed = privatePart.subarray(0, SEED);
  const [d, x] = [seed.toString('base64url'), publicPart.toString('base64url')];
  return { key: createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', d, x }, format: 'jwk' }), publicBlob };
}

/** `privateKey`: a file that nothing encrypts. `certificate`: a file `…-cert.pub`, which vouches for `name` and nothing else. */
export function makeHostKey(
  name: string,
  authority: HostAuthority,
): { privateKey: string; certificate: string } {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const [seed, publicPart] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  return {
    privateKey: privateFileOf(seed, publicPart, name),
    certificate: `${CERTIFICATE_TYPE} ${certify(publicPart, name, authority).toString('base64')} ${name}\n`,
  };
}

function certify(publicPart: Buffer, name: string, { key, publicBlob }: HostAuthority): Buffer {
  const signed = Buffer.concat([
    ...[string(CERTIFICATE_TYPE), string(randomBytes(32)), string(publicPart)],
    // Serial number; what it is for; how logs call it; names; from the beginning, for ever.
    ...[uint64(0n), uint32(HOST), string(name), string(string(name)), uint64(0n), uint64(FOR_EVER)],
    // Neither critical options nor extensions; what is reserved.
    ...[string(''), string(''), string('')],
    string(publicBlob),
  ]);
  const signature = Buffer.concat([string(TYPE), string(sign(null, signed, key))]);
  return Buffer.concat([signed, string(signature)]);
}

function privateFileOf(seed: Buffer, publicPart: Buffer, comment: string): string {
  const check = randomBytes(4);
  const secret = Buffer.concat([
    ...[check, check, string(TYPE), string(publicPart)],
    ...[string(Buffer.concat([seed, publicPart])), string(comment)],
  ]);
  const missing = (BLOCK - (secret.length % BLOCK)) % BLOCK;
  const padding = Buffer.from(Array.from({ length: missing }, (_, index) => index + 1));
  const bytes = Buffer.concat([
    ...[MAGIC, string('none'), string('none'), string(''), uint32(1)],
    string(Buffer.concat([string(TYPE), string(publicPart)])),
    string(Buffer.concat([secret, padding])),
  ]);
  const lines = bytes.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join(
    '\n',
  );
}

/** The first strings of these bytes, and what follows them. */
function strings(bytes: Buffer, count: number): Buffer[] {
  if (count === 0 || bytes.length < 4) return [bytes];
  const end = 4 + bytes.readUInt32BE(0);
  return [bytes.subarray(4, end), ...strings(bytes.subarray(end), count - 1)];
}

function string(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}
