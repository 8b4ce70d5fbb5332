/** Where a server elsewhere is: `ssh://[USER@]HOST[:PORT]`. */
import { AbortError } from '../errors.ts';

export interface SshPlace {
  /** In the one form in which it is written everywhere. */
  url: string;
  user: string | undefined;
  /** A name, of DNS or of ~/.ssh/config, or an address. */
  host: string;
  port: number | undefined;
}

/** A file's name is made of it. */
const MAX_URL = 180;
/** Neither begins like an option, and neither says anything to a shell. Domains have logins like `ann@lab.example`. */
const USER = /^[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}$/;
const HOST = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const IPV6 = /^\[([0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?)\]$/;

/** Throws AbortError INVALID that tells what is wrong. */
export function parseSshUrl(text: string): SshPlace {
  const refuse = (what: string) =>
    new AbortError(
      'INVALID',
      `${JSON.stringify(text.length > MAX_URL ? `${text.slice(0, MAX_URL)}…` : text)} is not where a server can be: ${what}.`,
      'Write it as ssh://[USER@]HOST[:PORT], as in ssh://ann@lab.example.',
    );
  if (text.length > MAX_URL) throw refuse(`it has more than ${MAX_URL} characters`);
  const rest = /^ssh:\/\/(.*)$/s.exec(text)?.[1];
  if (rest === undefined) throw refuse('it must begin with ssh://');
  const [, user, address = ''] = /^(?:(.*)@)?([^@]*)$/s.exec(rest.replace(/\/$/, '')) ?? [];
  if (/[/?#]/.test(address)) throw refuse('it must end with the host or its port, without a path');
  const [, host = '', digits] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(address) ?? [undefined, address];
  if (user?.includes(':')) throw refuse('a password has no place there: ssh asks for it');
  if (user !== undefined && !USER.test(user)) throw refuse(`${JSON.stringify(user)} is no login name`);
  const inner = IPV6.exec(host)?.[1] ?? (HOST.test(host) ? host : undefined);
  if (inner === undefined) throw refuse(`${JSON.stringify(host)} is no name or address of a host`);
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && !(/^\d{1,5}$/.test(digits ?? '') && port >= 1 && port <= 65_535))
    throw refuse(`${JSON.stringify(digits)} is no port`);
  const before = user === undefined ? '' : `${user}@`;
  return { url: `ssh://${before}${host}${port === undefined ? '' : `:${port}`}`, user, host: inner, port };
}
