import type { Duplex } from 'node:stream';
import {
  attempt,
  fileExists,
  isExternalError,
  type PowerConfigOf,
  UserError,
} from '../../../platform/index.ts';
import { inNetwork, type Place, readSecret } from '../place.ts';
import { openSerialOverLan } from '../serial-over-lan.ts';
import { type PowerKind, powerFailure } from '../source.ts';

const IPMITOOL = '/usr/bin/ipmitool';
/** Seconds between two tries of a message, and how many there are: some 5 s until a BMC counts as silent. */
const TRIES = ['-N', '2', '-R', '2'];
/** Milliseconds for one command, and bytes that it may print. */
const LIMITS = { timeout: 20_000, maxOutput: 65_536 };

/** Bytes (IPMI 2.0, 22.30). */
const MAX_PASSWORD = 20;

/** A board's own controller, by IPMI 2.0 over the network (RMCP+). */
export function ipmi(name: string, config: PowerConfigOf<'ipmi'>, place: Place): PowerKind {
  const { host, port, user, passwordFile, network, privilege, cipherSuite } = config;

  /** ipmitool's command line, where all is there that it needs. Throws UserError. */
  async function asking(...command: readonly string[]): Promise<readonly string[]> {
    if (Buffer.byteLength(await readSecret(name, passwordFile)) > MAX_PASSWORD) {
      throw powerFailure(
        ...([name, `cannot be asked: its password is longer than IPMI's ${MAX_PASSWORD} bytes.`] as const),
        `Give user ${user} a shorter one, and write it into ${passwordFile}.`,
      );
    }
    if (!(await fileExists(IPMITOOL))) {
      const hint = 'Install the package ipmitool on the server: apt-get install ipmitool';
      throw powerFailure(name, `cannot be asked: ${IPMITOOL} is missing.`, hint);
    }
    const argv = [
      // It tells why no session comes about only when it is asked to tell more.
      ...[IPMITOOL, '-v', '-I', 'lanplus', '-H', host, '-p', String(port), '-U', user, '-f', passwordFile],
      ...['-L', privilege.toUpperCase(), ...TRIES],
      ...(cipherSuite === undefined ? [] : ['-C', String(cipherSuite)]),
      ...command,
    ];
    return inNetwork(place, network, argv);
  }

  const asked = { name, host, user, passwordFile, privilege };

  /** Answers what ipmitool printed; undefined: the BMC refused that very command. Throws UserError. */
  async function chassis(command: 'status' | 'on' | 'off' | 'cycle' | 'reset'): Promise<string | undefined> {
    const argv = await asking('chassis', 'power', command);
    const { status, stdout, stderr } = await attempt(argv, LIMITS).catch((error: unknown) => {
      throw isExternalError(error) ? silent(name, host) : error;
    });
    if (status === 0) return stdout;
    if (/^Set Chassis Power Control to \w+(?:\/\w+)? failed: (?!Insufficient)/m.test(stderr))
      return undefined;
    throw explained(stderr, asked);
  }

  async function act(command: 'on' | 'off' | 'reset'): Promise<void> {
    if ((await chassis(command)) !== undefined) return;
    const hint = 'Try it by hand, with ipmitool on the server: the BMC may be busy, or lack that command.';
    throw powerFailure(name, `refuses the command to switch ${command}.`, hint);
  }

  async function state(): Promise<'on' | 'off'> {
    const [, told] = (await chassis('status'))?.match(/^Chassis Power is (on|off)\s*$/m) ?? [];
    if (told === 'on' || told === 'off') return told;
    throw powerFailure(
      ...([name, 'does not tell whether power is on.'] as const),
      'Try it by hand, with ipmitool on the server: chassis power status',
    );
  }

  /** Takes the console from whoever has it. */
  async function console(): Promise<Duplex> {
    const open = async () =>
      openSerialOverLan(await asking('sol', 'activate'), (complaint) => consoleRefused(complaint, asked));
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof ConsoleTaken)) throw error;
      // A server that was killed left it so, or a program that lost its connection: the BMC does not notice for minutes.
      await attempt(await asking('sol', 'deactivate'), LIMITS);
      return await open();
    }
  }

  return {
    ...{ kind: 'ipmi', port: 'none', shared: false, state, console },
    on: () => act('on'),
    off: () => act('off'),
    async reset() {
      if ((await state()) === 'off') return await act('on');
      // IPMI 2.0, 28.3: a power cycle is optional, a hard reset is not.
      if ((await chassis('cycle')) === undefined) await act('reset');
    },
  };
}

interface Asked {
  name: string;
  host: string;
  user: string;
  passwordFile: string;
  privilege: string;
}

class ConsoleTaken extends UserError {}

/** What ipmitool says of a console that it does not get (IPMI 2.0, table 24-2). */
function consoleRefused(complaint: string, asked: Asked): UserError {
  const { name } = asked;
  // Other lines tell of what it tried before, and went on without.
  const said = complaint.split('\n').find((line) => line.includes('SOL'));
  if (said === undefined || /insufficient privilege/i.test(said)) return explained(said ?? complaint, asked);
  if (/already active/i.test(said)) {
    const { code, message, hint } = powerFailure(
      ...([name, 'gives its console to another program.'] as const),
      'End that one, or restart the BMC.',
    );
    return new ConsoleTaken(code, message, hint);
  }
  if (/disabled/i.test(said)) {
    return powerFailure(
      ...([name, 'has its console (Serial over LAN) switched off.'] as const),
      'Enable it in the BMC, or with ipmitool: sol set enabled true; then for the user: sol payload enable.',
    );
  }
  return powerFailure(
    ...([name, `does not give its console: ${said.trim().replace(/[^ -~]/g, '?')}`] as const),
    'Look in the BMC whether it has Serial over LAN, and what it allows there.',
  );
}

/** What ipmitool's words mean. */
function explained(stderr: string, { name, host, user, passwordFile, privilege }: Asked): UserError {
  if (/RAKP 2 HMAC is invalid/.test(stderr))
    return powerFailure(name, `refuses the password of its user ${user}.`, `Correct it in ${passwordFile}.`);
  if (/unauthorized name/i.test(stderr))
    return powerFailure(name, `knows no user ${user}.`, `Correct power.${name}.user in server.conf.`);
  if (/insufficient privilege|exceeds? .*privilege|unauthorized role/i.test(stderr)) {
    return powerFailure(
      name,
      `does not let its user ${user} act as ${privilege}.`,
      `Give him that right in the BMC, or set power.${name}.privilege in server.conf.`,
    );
  }
  if (/invalid (?:authentication|integrity|confidentiality) algorithm|no matching cipher/i.test(stderr)) {
    return powerFailure(
      name,
      'does not take this cipher suite.',
      `Set power.${name}.cipher-suite in server.conf.`,
    );
  }
  return silent(name, host);
}

function silent(name: string, host: string): UserError {
  return powerFailure(
    ...([name, `does not answer at ${host}.`] as const),
    'Look at its cable and address, and whether IPMI over LAN is enabled in the BMC.',
  );
}
