import { type ErrorCode, PLATFORM_LABEL } from '@walt/contract';
import { UserError } from '../platform/index.ts';

/** A registry, and what was asked of it, for the message. */
interface Asked {
  label: string;
  host: string;
  /** `repository:tag` or the like; undefined for the registry itself. */
  what?: string | undefined;
}

interface Failure {
  /** What containers/image, Go's HTTP client or the registry say (distribution-spec, "Error Codes"). */
  says: RegExp;
  code: ErrorCode;
  message: (asked: Asked, match: RegExpExecArray) => string;
  hint: (asked: Asked) => string;
}

const thing = ({ label, what }: Asked) => (what === undefined ? `Registry "${label}"` : `"${label}:${what}"`);
const login = ({ label }: Asked) => `Log in with: walt registry login ${label}`;
const itsAdmin = ({ host }: Asked) => `Tell whoever runs ${host}.`;
const again = () => 'Repeat the command: layers that have arrived are not fetched again.';

/** The first that fits is told: the more particular ones come first. */
const failures: Failure[] = [
  {
    says: /invalid username\/password|incorrect username or password/i,
    code: 'FORBIDDEN',
    message: ({ label }) => `Registry "${label}" does not accept this user name with this password.`,
    hint: login,
  },
  {
    says: /too ?many ?requests|rate limit/i,
    code: 'UNAVAILABLE',
    message: ({ label }) => `Registry "${label}" takes no more requests for now.`,
    hint: ({ label }) => `Wait, or log in for a higher limit: walt registry login ${label}`,
  },
  {
    says: /unauthorized|authentication required|no basic auth credentials/i,
    code: 'FORBIDDEN',
    message: (asked) =>
      `${thing(asked)} is for users who may: you are not logged in, or your login has no right to it.`,
    hint: login,
  },
  {
    says: /denied|forbidden|status code 403/i,
    code: 'FORBIDDEN',
    message: (asked) => `Registry "${asked.label}" does not let you do this with ${thing(asked)}.`,
    hint: ({ label }) => `Choose another name, or log in as somebody who may: walt registry login ${label}`,
  },
  {
    says: /x509: certificate signed by unknown authority/,
    code: 'UNAVAILABLE',
    message: ({ host }) =>
      `The certificate of ${host} is signed by an authority that this server does not know.`,
    hint: ({ label }) => `Name that authority's certificate as "ca" of registry "${label}" in server.conf.`,
  },
  {
    says: /(x509: [^"]*|tls: [^"]*|remote error: tls[^"]*)/,
    code: 'UNAVAILABLE',
    message: ({ host }, match) => `No safe connection to ${host}: ${match[1]?.trim()}.`,
    hint: itsAdmin,
  },
  {
    says: /server gave HTTP response to HTTPS client/,
    code: 'UNAVAILABLE',
    message: ({ host }) => `${host} speaks HTTP without TLS.`,
    hint: ({ label }) =>
      `If that is meant so, give registry "${label}" the key "protocol: http" in server.conf.`,
  },
  {
    says: /no such host|server misbehaving|temporary failure in name resolution/i,
    code: 'UNAVAILABLE',
    message: ({ host }) => `The server does not find ${host}: its name is unknown.`,
    hint: ({ label }) => `Check "host" of registry "${label}" in server.conf, and the server's network.`,
  },
  {
    says: /connection refused|no route to host|network is unreachable|i\/o timeout|TLS handshake timeout|context deadline exceeded/i,
    code: 'UNAVAILABLE',
    message: ({ host }) => `The server cannot reach ${host}.`,
    hint: () => 'Check that it runs, and that the server has a network; then repeat the command.',
  },
  {
    says: /stopped after \d+ redirects/,
    code: 'EXTERNAL',
    message: ({ label }) => `Registry "${label}" sends its callers round in circles.`,
    hint: itsAdmin,
  },
  {
    says: /digest did not match|does not match (?:provided|expected)|digest mismatch|flate: corrupt|gzip: invalid|invalid tar/i,
    code: 'EXTERNAL',
    message: (asked) =>
      `What registry "${asked.label}" sent for ${thing(asked)} is not what its digest says.`,
    hint: (asked) => `Nothing was kept of it. ${itsAdmin(asked)}`,
  },
  {
    says: /unexpected EOF|connection reset|http2: .*closed|: EOF\b/i,
    code: 'EXTERNAL',
    message: ({ label }) => `Registry "${label}" broke off in the middle.`,
    hint: again,
  },
  {
    says: /manifest unknown|name unknown|manifest_unknown|repository name not known|not found|status code 404/i,
    code: 'NOT_FOUND',
    message: (asked) => `There is no ${thing(asked)}.`,
    hint: () => 'See what there is with: walt image search',
  },
  {
    says: /(?:HTTP status|status code)\D{0,20}(5\d\d)/i,
    code: 'EXTERNAL',
    message: ({ label }, match) => `Registry "${label}" failed itself (HTTP status ${match[1]}).`,
    hint: again,
  },
];

/** What an outside program's complaint about a registry means for the user; undefined for what is not about it. */
export function explainRegistry(output: string, asked: Asked): UserError | undefined {
  for (const { says, code, message, hint } of failures) {
    const match = says.exec(output);
    if (match) return new UserError(code, message(asked, match), hint(asked));
  }
  return undefined;
}

export function unknownRegistry(label: string, known: readonly string[]): UserError {
  const labels = [PLATFORM_LABEL, ...known].map((one) => `"${one}:"`);
  return new UserError(
    'NOT_FOUND',
    `This platform knows no registry "${label}".`,
    `Links start with ${labels.join(' or ')}; the administrator adds registries to server.conf.`,
  );
}
