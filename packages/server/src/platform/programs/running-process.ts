import type { Launched } from './launch.ts';
import { isAlive, type ProcessIdentity, signalProcess } from './process.ts';

/** Milliseconds between two looks at an adopted process: the kernel tells its end to its parent only. */
const POLL_INTERVAL = 400;

export interface End {
  /** In words for the journal. */
  how: string;
  /** False when it ended with exit status 0. An adopted process tells nobody its status: it counts as failed. */
  failed: boolean;
}

/** A live process, our own child or one of an earlier server, whose end is told by `ended`. */
export class RunningProcess {
  readonly identity: ProcessIdentity;
  readonly adopted: boolean;
  /** Unix time in milliseconds from which we watch it. */
  readonly since = Date.now();
  /** Resolves when it has ended. Never resolves after `unwatch`. */
  readonly ended: Promise<End>;
  readonly unwatch: () => void;

  private constructor(
    identity: ProcessIdentity,
    adopted: boolean,
    watch: (end: (end: End) => void) => () => void,
  ) {
    this.identity = identity;
    this.adopted = adopted;
    const { promise, resolve } = Promise.withResolvers<End>();
    this.ended = promise;
    this.unwatch = watch(resolve);
  }

  static child({ child, identity }: Launched): RunningProcess {
    return new RunningProcess(identity, false, (end) => {
      const onExit = (status: number | null, signal: NodeJS.Signals | null) =>
        end({ how: signal ?? `exit status ${status}`, failed: status !== 0 });
      if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
      child.once('exit', onExit);
      return () => {
        child.off('exit', onExit);
        child.unref();
      };
    });
  }

  static adopt(identity: ProcessIdentity): RunningProcess {
    return new RunningProcess(identity, true, (end) => {
      const timer = setInterval(() => {
        if (isAlive(identity)) return;
        clearInterval(timer);
        end({ how: 'unknown status', failed: true });
      }, POLL_INTERVAL);
      return () => clearInterval(timer);
    });
  }

  /** False when it is gone. */
  signal(signal: NodeJS.Signals): boolean {
    return signalProcess(this.identity, signal);
  }
}
