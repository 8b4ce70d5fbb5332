import { chown, mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { attempt, type ExecOptions, type ExecResult, run } from '../packages/server/src/platform/index.ts';

export const checkout = join(import.meta.dirname, '..');

/** Milliseconds; nothing is measured by it, it only ends what hangs. */
const LIMIT = 900_000;

/** Somebody who uses a platform: a real user of the machine, with a home of his own for this test. */
export class Client {
  readonly user: string;
  readonly home: string;
  readonly #prefix: readonly string[];
  readonly #socket: string;

  private constructor(user: string, home: string, prefix: readonly string[], socket: string) {
    this.user = user;
    this.home = home;
    this.#prefix = prefix;
    this.#socket = socket;
  }

  /** `user` must exist on the machine; every Debian has `daemon` and `games`. */
  static async make(user: string, folder: string, socket: string): Promise<Client> {
    const home = join(folder, `home-${user}`);
    await mkdir(home, { mode: 0o700 });
    if (user === userInfo().username) return new Client(user, home, [], socket);
    const [, , uid, gid] = (await run(['getent', 'passwd', user])).split(':');
    await chown(home, Number(uid), Number(gid));
    const seen = join(folder, 'checkout');
    await mkdir(seen, { recursive: true });
    // The checkout may lie in a folder that only root enters: others see it at a place of their own, in a mount
    // namespace that ends with the command.
    const script = 'mount --bind -- "$1" "$2" && shift 2 && exec setpriv "$@"';
    const prefix = [
      ...['unshare', '--mount', '--', 'sh', '-c', script, 'sh', checkout, seen],
      ...[`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'],
    ];
    return new Client(user, home, prefix, socket);
  }

  get env(): Record<string, string> {
    return {
      HOME: this.home,
      USER: this.user,
      LOGNAME: this.user,
      XDG_CACHE_HOME: join(this.home, '.cache'),
      XDG_CONFIG_HOME: join(this.home, '.config'),
      WALT_SOCKET: this.#socket,
    };
  }

  /** The command line of any program, run as this user. */
  argv(...command: string[]): string[] {
    return [...this.#prefix, ...command];
  }

  /** The command line of `walt` with these words, for a terminal. */
  command(...words: string[]): string[] {
    return this.argv(this.launcher, ...words);
  }

  /** Path of `walt` as this user sees it. */
  get launcher(): string {
    const seen = this.#prefix.length === 0 ? checkout : join(this.home, '..', 'checkout');
    return join(seen, 'walt');
  }

  /** Runs any program to its end, whatever its exit status. */
  run(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return attempt(this.argv(...command), {
      timeout: LIMIT,
      ...options,
      env: { ...this.env, ...options.env },
    });
  }

  /** Runs `walt` to its end, whatever its exit status; without a terminal. */
  walt(...words: string[]): Promise<ExecResult> {
    return this.run([this.launcher, ...words]);
  }

  /** Runs `walt` and answers what it prints. Throws with its message when it fails. */
  async ok(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.walt(...words);
    if (status !== 0) throw new Error(`walt ${words.join(' ')}: exit status ${status}: ${stderr || stdout}`);
    return stdout;
  }

  /** Runs `walt … --json` and answers the data. */
  async json<T>(...words: string[]): Promise<T> {
    return JSON.parse(await this.ok(...words, '--json')) as T;
  }

  /** Runs a line of shell on a node, as root there, and answers what it prints. Throws when it fails. */
  on(node: string, line: string): Promise<string> {
    return this.ok('node', 'run', node, '--', line);
  }
}
