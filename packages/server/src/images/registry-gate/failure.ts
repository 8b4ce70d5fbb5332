import type { Failure, FailureKind } from './protocol.ts';

/** Something between us and the registry. */
export class GateError extends Error {
  override readonly name = 'GateError';
  readonly failure: Failure;
  constructor(kind: FailureKind, detail: unknown = '') {
    const shown = printable(detail);
    super(`${kind}: ${shown}`);
    this.failure = { kind, detail: shown };
  }

  /** What an error on the way to `host` means. */
  static of(error: unknown, host: string): GateError {
    if (error instanceof GateError) return error;
    const code = fieldOf(error, 'code');
    const reason = fieldOf(error, 'reason') || (error instanceof Error ? error.message : String(error));
    if (UNKNOWN_AUTHORITY.includes(code)) return new GateError('unknown-authority', host);
    if (PLAIN.test(reason)) return new GateError('plain-http', host);
    const kind = kinds.find(([pattern]) => pattern.test(code))?.[1] ?? 'broke-off';
    return new GateError(kind, kind === 'unsafe-connection' ? reason : host);
  }
}

const UNKNOWN_AUTHORITY = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
];

/** What OpenSSL says of an answer without TLS. */
const PLAIN = /wrong version number|packet length too long|http request/;

/** Codes of Node's errors (nodejs.org, "Errors"; errno(3); OpenSSL), as far as users can act on them. */
const kinds: [code: RegExp, kind: FailureKind][] = [
  [/^(?:ERR_TLS_|ERR_SSL_|CERT_|EPROTO$)/, 'unsafe-connection'],
  [/^(?:ENOTFOUND|EAI_)/, 'no-such-host'],
  [/^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|ETIMEDOUT|EADDRNOTAVAIL)$/, 'unreachable'],
  [/^(?:ECONNRESET|ECONNABORTED|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/, 'broke-off'],
  [/^HPE_/, 'bad-answer'],
];

/** What an HTTP status says (distribution-spec, "Error Codes"); undefined: all is well. */
export function failureOfStatus(status: number): Failure | undefined {
  if (status >= 200 && status < 300) return undefined;
  const known: Partial<Record<number, FailureKind>> = {
    401: 'unauthorized',
    403: 'denied',
    404: 'not-found',
    429: 'too-many-requests',
  };
  return { kind: known[status] ?? 'status', detail: String(status) };
}

function fieldOf(error: unknown, name: 'code' | 'reason'): string {
  const value = error instanceof Error ? (error as Error & Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' ? value : '';
}

/** Text of others goes to terminals and logs. */
function printable(text: unknown): string {
  return String(text)
    .slice(0, 200)
    .replaceAll(/[^\x20-\x7e]/g, '?');
}
