import { UserError } from '../platform/index.ts';

/** Key types that OpenSSH 9 can certify. DSA is left out (dropped by OpenSSH), certificates are no keys. */
const TYPES = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]);

/**
 * Checks a public key as in `id_ed25519.pub` ("type base64 comment", sshd(8) AUTHORIZED_KEYS without options), and answers
 * "type base64": nothing of the input but these two checked words goes on. Throws INVALID.
 */
export function parsePublicKey(text: string): string {
  const line = text.replace(/\r?\n$/, '');
  if (/[\p{Cc}]/u.test(line)) throw refused('it must be one line of text');
  const [type = '', encoded = ''] = line.split(' ');
  if (!TYPES.has(type)) throw refused('its type must be ed25519, ecdsa or rsa');
  const blob = Buffer.from(encoded, 'base64');
  // Buffer skips what is not base64; only what encodes to the very same text was.
  if (blob.length === 0 || blob.toString('base64') !== encoded)
    throw refused('its second word is not base64');
  if (!isKeyOf(type, blob)) throw refused('its content does not match its type');
  return `${type} ${encoded}`;
}

/** A key's blob is a row of strings, each with its length as 32 bits in front; the first names the type (RFC 4253, 6.6). */
function isKeyOf(type: string, blob: Buffer): boolean {
  const fields: Buffer[] = [];
  let at = 0;
  while (at + 4 <= blob.length) {
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return false;
    fields.push(blob.subarray(at + 4, end));
    at = end;
  }
  return at === blob.length && fields.length >= 2 && fields[0]?.toString('latin1') === type;
}

function refused(reason: string): UserError {
  return new UserError(
    'INVALID',
    `This is no SSH public key that can be certified: ${reason}.`,
    'Give the content of a file as ~/.ssh/id_ed25519.pub (`ssh-keygen -t ed25519` makes one).',
  );
}
