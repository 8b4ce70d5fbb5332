import { type ErrorCode, PLATFORM_LABEL } from '@walt/contract';
import { UserError } from '../../platform/index.ts';
import type { Failure, FailureKind } from './protocol.ts';

/** A registry, and what was asked of it, for the message. */
export interface Asked {
  label: string;
  host: string;
  /** `repository:tag` or the like; undefined for the registry itself. */
  what?: string | undefined;
}

interface Words {
  code: ErrorCode;
  /** `detail` is the gate's. */
  message: (asked: Asked, detail: string) => string;
  hint: (asked: Asked, detail: string) => string;
}

export const thing = ({ label, what }: Asked) =>
  what === undefined ? `Registry "${label}"` : `"${label}:${what}"`;
const login = ({ label }: Pick<Asked, 'label'>) => `Log in with: walt registry login ${label}`;
export const itsAdmin = ({ host }: Asked) => `Tell whoever runs ${host}.`;
const otherHosts = ({ label }: Asked, host: string) =>
  `If it belongs to the registry, the administrator adds "${host}" to "other-hosts" of "${label}" in server.conf.`;
const again = () => 'Repeat the command: layers that have arrived are not fetched again.';

/** What went wrong between us and a registry. */
const failures: Record<FailureKind, Words> = {
  unauthorized: {
    code: 'FORBIDDEN',
    message: (asked) =>
      `${thing(asked)} is for users who may: you are not logged in, or your login has no right to it.`,
    hint: login,
  },
  denied: {
    code: 'FORBIDDEN',
    message: (asked) => `Registry "${asked.label}" does not let you do this with ${thing(asked)}.`,
    hint: ({ label }) => `Choose another name, or log in as somebody who may: walt registry login ${label}`,
  },
  'too-many-requests': {
    code: 'UNAVAILABLE',
    message: ({ label }) => `Registry "${label}" takes no more requests for now.`,
    hint: ({ label }) => `Wait, or log in for a higher limit: walt registry login ${label}`,
  },
  'not-found': {
    code: 'NOT_FOUND',
    message: (asked) => `There is no ${thing(asked)}.`,
    hint: () => 'See what there is with: walt image search',
  },
  status: {
    code: 'EXTERNAL',
    message: ({ label }, detail) => `Registry "${label}" failed itself (HTTP status ${detail}).`,
    hint: again,
  },
  'unknown-authority': {
    code: 'UNAVAILABLE',
    message: (_asked, host) =>
      `The certificate of ${host} is signed by an authority that this server does not know.`,
    hint: ({ label }) => `Name that authority's certificate as "ca" of registry "${label}" in server.conf.`,
  },
  'unsafe-connection': {
    code: 'UNAVAILABLE',
    message: ({ host }, detail) => `No safe connection to ${host}: ${detail}.`,
    hint: itsAdmin,
  },
  'plain-http': {
    code: 'UNAVAILABLE',
    message: (_asked, host) => `${host} speaks HTTP without TLS.`,
    hint: ({ label }) =>
      `If that is meant so, give registry "${label}" the key "protocol: http" in server.conf.`,
  },
  'no-such-host': {
    code: 'UNAVAILABLE',
    message: (_asked, host) => `The server does not find ${host}: its name is unknown.`,
    hint: ({ label }) => `Check "host" of registry "${label}" in server.conf, and the server's network.`,
  },
  unreachable: {
    code: 'UNAVAILABLE',
    message: (_asked, host) => `The server cannot reach ${host}.`,
    hint: () => 'Check that it runs, and that the server has a network; then repeat the command.',
  },
  'broke-off': {
    code: 'EXTERNAL',
    message: ({ label }) => `Registry "${label}" broke off in the middle.`,
    hint: again,
  },
  silent: {
    code: 'UNAVAILABLE',
    message: ({ label }) => `Registry "${label}" sends nothing any more.`,
    hint: again,
  },
  'too-large': {
    code: 'EXTERNAL',
    message: (asked, limit) =>
      `Registry "${asked.label}" sends more for ${thing(asked)} than it may: over ${limit} bytes.`,
    hint: itsAdmin,
  },
  'bad-answer': {
    code: 'EXTERNAL',
    message: ({ label }, detail) => `Registry "${label}" answers what no registry may (${detail}).`,
    hint: itsAdmin,
  },
  circles: {
    code: 'EXTERNAL',
    message: ({ label }) => `Registry "${label}" sends its callers round in circles.`,
    hint: itsAdmin,
  },
  downgrade: {
    code: 'FORBIDDEN',
    message: ({ label }, host) =>
      `Registry "${label}" leads to ${host} by a connection that others can read; nothing was sent there.`,
    hint: itsAdmin,
  },
  'foreign-realm': {
    code: 'FORBIDDEN',
    message: ({ label }, host) =>
      `Registry "${label}" wants your password sent to ${host}, which is another host; it was not.`,
    hint: otherHosts,
  },
  'internal-address': {
    code: 'FORBIDDEN',
    message: ({ label }, host) =>
      `Registry "${label}" leads to ${host}, which is this server or on its own networks; nobody asked there.`,
    hint: otherHosts,
  },
};

export function explainFailure({ kind, detail }: Failure, asked: Asked): UserError {
  const { code, message, hint } = failures[kind];
  return new UserError(code, message(asked, detail), hint(asked, detail));
}

export function refusedPassword(label: string): UserError {
  return new UserError(
    'FORBIDDEN',
    `Registry "${label}" does not accept this user name with this password.`,
    login({ label }),
  );
}

export function unknownRegistry(label: string, known: readonly string[]): UserError {
  const labels = [PLATFORM_LABEL, ...known].map((one) => `"${one}:"`);
  return new UserError(
    'NOT_FOUND',
    `This platform knows no registry "${label}".`,
    `Links start with ${labels.join(' or ')}; the administrator adds registries to server.conf.`,
  );
}
