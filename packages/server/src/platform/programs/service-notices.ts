/**
 * What systemd hears of a server that it runs (sd_notify(3)): that it serves, and that it does not hang. Node.js has no datagram sockets
 * of Unix, so systemd-notify(1) says it.
 */
import type { Log } from '../logs/index.ts';
import { attempt } from './exec.ts';

/** Messages in each time after which systemd takes a silent server for one that hangs. */
const MESSAGES = 3;
/** Milliseconds for the program that says it. */
const LIMIT = 60_000;

export class ServiceNotices {
  readonly #socket: string | undefined;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout | undefined;

  /** Takes what systemd said out of the environment: of the programs that we run, some would speak in our name. */
  constructor(environment: NodeJS.ProcessEnv, log: Log) {
    this.#log = log;
    this.#socket = environment.NOTIFY_SOCKET || undefined;
    const microseconds = Number(environment.WATCHDOG_USEC);
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
    if (this.#socket === undefined || !(microseconds > 0)) return;
    this.#timer = setInterval(() => this.#say('WATCHDOG=1'), microseconds / 1000 / MESSAGES);
    this.#timer.unref();
  }

  /** The platform serves. */
  ready(): void {
    this.#say('--ready', '--status=Serving.', 'WATCHDOG=1');
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #say(...words: string[]): void {
    if (this.#socket === undefined) return;
    attempt(['systemd-notify', ...words], { env: { NOTIFY_SOCKET: this.#socket }, timeout: LIMIT }).then(
      ({ status, stderr }) => status !== 0 && this.#log.warn('systemd was not told', { reason: stderr }),
      (error) => this.#log.warn('systemd was not told', { reason: String(error) }),
    );
  }
}
