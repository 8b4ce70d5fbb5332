/** A PostgreSQL database in server.conf, as a URL in the form of libpq (PostgreSQL's manual, 34.1.1.2). */
import * as z from 'zod';

/** Debian's folder of the server's socket. */
const SOCKET_FOLDER = '/run/postgresql';
const PORT = 5432;
/** Who the program is to the system, which the server asks for with peer authentication. */
const USER = 'root';

export interface PostgresPlace {
  /** A host name or an address; or the folder of the server's Unix socket, which begins with a slash. */
  host: string;
  port: number;
  user: string;
  database: string;
  /** `verify-full`: its certificate must be the host's, signed by `ca` or by an authority that the system knows. */
  tls: 'disable' | 'require' | 'verify-full';
  ca: string | undefined;
}

const URL_PARTS =
  /^postgres(?:ql)?:\/\/(?:(?<user>[^@/?#:]*)(?<password>:[^@/?#]*)?@)?(?<host>\[[0-9A-Fa-f:.]+\]|[^@/?#:[\]]*)(?::(?<port>\d{1,5}))?(?:\/(?<database>[^/?#]*))?(?:\?(?<query>[^#]*))?$/;
const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?$/;
const NAME = /^[^\p{C}]{1,63}$/u;
const FOLDER = /^\/[^\p{C}]{0,90}$/u;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/;

const parts = z.strictObject({
  host: z.string().refine((host) => HOST.test(host) || FOLDER.test(host), {
    error: 'has no host name, address or folder of a socket where its host is',
  }),
  port: z.coerce
    .number()
    .int()
    .min(1, { error: 'has no port there' })
    .max(65_535, { error: 'has no port there' }),
  user: z.string().regex(NAME, { error: 'has no name of a user' }),
  dbname: z.string().regex(NAME, { error: 'has no name of a database' }),
  sslmode: z.enum(['disable', 'require', 'verify-full'], {
    error: 'has another sslmode than disable, require, verify-full',
  }),
  sslrootcert: z.string().regex(FOLDER, { error: 'has an sslrootcert that is no absolute path' }).optional(),
});

/** Text of a URL; throws a reason that follows its key. */
function placeOf(text: string): PostgresPlace {
  const groups = URL_PARTS.exec(text)?.groups;
  if (!groups) throw new TypeError('must be like postgresql://USER@HOST:PORT/DATABASE');
  if (groups.password !== undefined) {
    throw new TypeError(
      'has a password: write that into a file of mode 600, and its path at logs.password-file',
    );
  }
  const query = new Map(new URLSearchParams(groups.query ?? ''));
  const said = (name: string, value: string | undefined) =>
    query.get(name) ?? (value ? decodeURIComponent(value) : undefined);
  const host = said('host', groups.host?.replace(/^\[|\]$/g, '')) ?? SOCKET_FOLDER;
  const user = said('user', groups.user) ?? USER;
  const known = {
    ...{
      host,
      user,
      port: said('port', groups.port) ?? PORT,
      dbname: said('dbname', groups.database) ?? user,
    },
    sslmode: host.startsWith('/') || LOOPBACK.test(host) ? 'disable' : 'verify-full',
  };
  const result = parts.safeParse({ ...known, ...Object.fromEntries(query) });
  if (!result.success) {
    const issue = result.error.issues[0];
    const unknown =
      issue?.code === 'unrecognized_keys' ? `has ${issue.keys[0]}, which is not known here` : undefined;
    throw new TypeError(unknown ?? issue?.message);
  }
  const { port, dbname, sslmode, sslrootcert } = result.data;
  return { host, port, user, database: dbname, tls: sslmode, ca: sslrootcert };
}

export const postgresUrl = z
  .string()
  .max(2000)
  .transform((text, context) => {
    try {
      return placeOf(text);
    } catch (error) {
      const message = error instanceof URIError ? 'has a % that is no character' : (error as Error).message;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
  });
