/** Where a machine is that ssh reaches: `ssh://[USER@]HOST[:PORT]`. */

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

/** A text: what is wrong with it, as `it must begin with ssh://`. */
export function parseSshPlace(text: string): SshPlace | string {
  if (text.length > MAX_URL) return `it has more than ${MAX_URL} characters`;
  const rest = /^ssh:\/\/(.*)$/s.exec(text)?.[1];
  if (rest === undefined) return 'it must begin with ssh://';
  const [, user, address = ''] = /^(?:(.*)@)?([^@]*)$/s.exec(rest.replace(/\/$/, '')) ?? [];
  if (/[/?#]/.test(address)) return 'it must end with the host or its port, without a path';
  const [, host = '', digits] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(address) ?? [undefined, address];
  if (user?.includes(':')) return 'a password has no place there: ssh asks for it';
  if (user !== undefined && !USER.test(user)) return `${JSON.stringify(user)} is no login name`;
  const inner = IPV6.exec(host)?.[1] ?? (HOST.test(host) ? host : undefined);
  if (inner === undefined) return `${JSON.stringify(host)} is no name or address of a host`;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && !(/^\d{1,5}$/.test(digits ?? '') && port >= 1 && port <= 65_535))
    return `${JSON.stringify(digits)} is no port`;
  const before = user === undefined ? '' : `${user}@`;
  return { url: `ssh://${before}${host}${port === undefined ? '' : `:${port}`}`, user, host: inner, port };
}

/** Words of ssh(1) that say where. */
export function sshTarget({ user, host, port }: SshPlace): string[] {
  return [
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...['--', host],
  ];
}

/** In a message. */
export function shortened(text: string): string {
  return JSON.stringify(text.length > MAX_URL ? `${text.slice(0, MAX_URL)}…` : text);
}
