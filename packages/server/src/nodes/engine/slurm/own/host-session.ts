/** A shell as root on a machine that is to be a host, by OpenSSH. Alone knows ssh(1) in front of hosts. */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { type SshPlace, sshTarget } from '@walt/contract';
import {
  isExternalError,
  type StreamedProgram,
  streamProgram,
  UserError,
} from '../../../../platform/index.ts';
import { shown } from './host-words.ts';

/** Whatever shell the login has, and whoever it is. It reads what it is to do from its standard input: no argument tells of it. */
const ROOT_SHELL = 'exec sh -c \'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n -- sh -s; fi\'';

/** What the user's configuration adds to such a host is for his own shells. What ssh asks, it asks at the terminal. */
const OPTIONS = [
  ...['RemoteCommand=none', 'RequestTTY=no', 'PermitLocalCommand=no', 'ClearAllForwardings=yes'],
  ...['ForwardAgent=no', 'ForwardX11=no', 'ServerAliveInterval=15', 'ServerAliveCountMax=3'],
].flatMap((option) => ['-o', option]);

/** Characters of what a step prints that are kept. */
const KEPT = 64 * 1024;

export interface Outcome {
  status: number;
  /** The end of what it printed. */
  output: string;
}

/** Steps are run one after the other by one shell, so that ssh asks once, and the shell itself notices when the connection breaks. */
export class HostSession {
  readonly #ssh: StreamedProgram;
  readonly #place: SshPlace;
  readonly #name: string;
  /** Behind each step. */
  readonly #mark = `walt-${randomBytes(8).toString('hex')}`;
  readonly #lines: AsyncIterator<string>;

  private constructor(name: string, place: SshPlace) {
    this.#name = name;
    this.#place = place;
    this.#ssh = streamProgram(['ssh', ...OPTIONS, ...sshTarget(place), ROOT_SHELL], {
      ...{ stdin: 'pipe', accept: 'any', deathSignal: 'TERM' },
    });
    this.#lines = createInterface({ input: this.#ssh.stdout })[Symbol.asyncIterator]();
  }

  /** `script` is run first: functions and variables. Throws UserError UNAVAILABLE when there is no such shell. */
  static async open(name: string, place: SshPlace, script: string): Promise<HostSession> {
    const session = new HostSession(name, place);
    try {
      await session.run(`${script}\ntrue`);
      return session;
    } catch (error) {
      session.#ssh.kill();
      throw error;
    }
  }

  /**
   * Runs a line of shell. Throws UserError UNAVAILABLE when the connection breaks, or when it takes longer than `limit` milliseconds.
   */
  async run(line: string, limit?: number): Promise<Outcome> {
    this.#ssh.stdin.write(`{ ${line}\n} </dev/null 2>&1; printf '\\n%s %s\\n' ${this.#mark} $?\n`);
    const slow = limit === undefined ? undefined : setTimeout(() => this.#ssh.kill(), limit);
    try {
      return await this.#outcome();
    } finally {
      clearTimeout(slow);
    }
  }

  async #outcome(): Promise<Outcome> {
    let output = '';
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw await this.#broken();
      const status = value.startsWith(`${this.#mark} `) ? value.slice(this.#mark.length + 1) : undefined;
      if (status !== undefined) return { status: Number(status), output: output.trim() };
      output = `${output}${value}\n`.slice(-KEPT);
    }
  }

  async #broken(): Promise<UserError> {
    const status = await this.#ssh.ended.catch((error: unknown) => {
      if (!isExternalError(error)) throw error;
      return null;
    });
    const said = lastWords(this.#ssh.complaint());
    if (/^(?:sh: .*)?sudo: /m.test(this.#ssh.complaint())) {
      return new UserError(
        'UNAVAILABLE',
        `${this.#name}: that login does not become root: ${said}`,
        `Name root (ssh://root@${this.#place.host}), or let it use sudo without a password (NOPASSWD in sudoers(5)).`,
      );
    }
    return new UserError(
      'UNAVAILABLE',
      `${this.#name}: the connection to ${this.#place.url} ended${status === null ? '' : ` (${status})`}: ${said}`,
      `See whether this works, as root on this machine: ssh ${this.#place.url}`,
    );
  }

  /** The shell ends, and does what it was to do at its end. */
  async close(): Promise<void> {
    this.#ssh.stdin.end();
    this.#ssh.stdout.resume();
    await this.#ssh.ended.catch((error: unknown) => {
      if (!isExternalError(error)) throw error;
    });
  }
}

/** What a program said last, in one line that steers no terminal. Pure. */
export function lastWords(output: string): string {
  const lines = output.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => /^(?:E|error|fatal): |: (?:error|fatal): /i.test(line));
  const told = (errors.length > 0 ? errors : lines).slice(-2).join(' · ');
  return shown(told).slice(0, 400) || 'it said nothing';
}

/** One word of a shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
