/** Sources of power in server.conf: what each kind must be told. What it does with that: nodes/power/. */
import { POWER_SOURCE, WAKE_ON_LAN } from '@walt/contract';
import * as z from 'zod';

const absolute = z.string().max(4096).startsWith('/', { error: 'must be an absolute path' });
/** A name, or an address without a port; never an option. */
const host = z
  .string()
  .max(253)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?$/, { error: 'must be a host name or an address' });
const port = z.int().min(1).max(65_535);
/** Where it is reached: the host's network, or walt-net. */
const network = z.enum(['host', 'walt-net']).default('host');
const user = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[^\p{C}:]+$/u, { error: 'must not contain colons or control characters' });
const credentials = { user, /** Of mode 600. */ 'password-file': absolute };

const ipmi = z
  .strictObject({
    kind: z.literal('ipmi'),
    host,
    port: port.default(623),
    ...credentials,
    network,
    /** What the session may do: some BMCs refuse users who ask for more than they have. */
    privilege: z.enum(['user', 'operator', 'administrator']).default('operator'),
    /** IPMI 2.0, table 22-20; without it, what ipmitool takes. */
    'cipher-suite': z.int().min(0).max(17).optional(),
  })
  .transform(({ 'password-file': passwordFile, 'cipher-suite': cipherSuite, ...rest }) => ({
    ...{ ...rest, passwordFile, cipherSuite },
  }));

const redfish = z
  .strictObject({
    kind: z.literal('redfish'),
    host,
    port: port.default(443),
    ...credentials,
    network,
    /** Certificate of the authority that signed the BMC's, where Debian does not know it. */
    ca: absolute.optional(),
    /** Of the BMC's own certificate: SHA-256, as `openssl x509 -fingerprint -sha256` prints it. */
    fingerprint: z
      .string()
      .regex(/^(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$/, {
        error: 'must be 32 bytes in hexadecimal, as AB:CD:…',
      })
      .transform((text) => text.toUpperCase())
      .optional(),
  })
  .refine(({ ca, fingerprint }) => ca === undefined || fingerprint === undefined, {
    error: 'has "ca" and "fingerprint": one of them tells who it is',
  })
  .transform(({ 'password-file': passwordFile, ...rest }) => ({ ...rest, passwordFile }));

/** What stands for something of the node, as a word of its own. */
export const PLACEHOLDERS = ['{name}', '{mac}', '{ip}', '{port}'] as const;
const word = z
  .string()
  .max(4096)
  .regex(/^\P{C}*$/u, { error: 'must not contain control characters' })
  .refine(
    (text) =>
      PLACEHOLDERS.some((placeholder) => text === placeholder) ||
      !PLACEHOLDERS.some((placeholder) => text.includes(placeholder)),
    { error: `must be a word of its own where it is one of ${PLACEHOLDERS.join(', ')}` },
  );
const line = z
  .array(word)
  .min(1)
  .max(64)
  // env(1), which starts it, would take a path with an equals sign for a variable.
  .refine(([program = '']) => program.startsWith('/') && !program.includes('='), {
    error: 'must begin with the absolute path of a program, without "="',
  })
  .optional();

const command = z
  .strictObject({
    kind: z.literal('command'),
    on: line,
    off: line,
    /** Cuts the power and gives it back. Without it: `off`, then `on`. */
    reset: line,
    /** Prints `on` or `off`. */
    state: line,
    /** Whose rights it has. */
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]{0,31}$/, { error: 'must be the name of a user' })
      .default('nobody'),
    network,
  })
  .refine(({ on, off, reset }) => on ?? off ?? reset, { error: 'has neither "on" nor "off" nor "reset"' });

const source = z.discriminatedUnion('kind', [ipmi, redfish, command]);
export type PowerConfig = z.infer<typeof source>;
export type PowerConfigOf<Kind extends PowerConfig['kind']> = Extract<PowerConfig, { kind: Kind }>;

const reserved: readonly string[] = [WAKE_ON_LAN, 'none', 'default'];

export const powerConfig = z
  .record(
    z
      .string()
      .regex(POWER_SOURCE, {
        error: 'must be 1 to 32 lower-case letters, digits and dashes, starting with a letter',
      })
      .refine((name) => !reserved.includes(name), {
        error: 'must be another name: this one has a meaning of its own',
      }),
    source,
  )
  .default({});
export type PowerConfigs = z.infer<typeof powerConfig>;
