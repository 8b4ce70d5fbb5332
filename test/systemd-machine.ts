/** A machine of the test's own that a real systemd runs (systemd-machine.sh), of which nothing is left afterwards. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, type ExecResult, run } from '../packages/server/src/platform/index.ts';
import { until } from './until.ts';

const SCRIPT = join(import.meta.dirname, 'systemd-machine.sh');
const NAMESPACES = ['--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup'];
const ENVIRONMENT = [
  'HOME=/root',
  'LANG=C.UTF-8',
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
];
/** Milliseconds; it only ends what hangs. */
const LIMIT = 600_000;

/** Machines of this process that are not closed yet. */
const open = new Set<SystemdMachine>();

export class SystemdMachine {
  /** Seen as /mnt in the machine. */
  readonly folder: string;
  readonly #group: string;
  readonly #process: ChildProcess;
  #said = '';
  /** Process number of its systemd, as it is seen here. */
  #init = 0;

  private constructor(folder: string, group: string) {
    this.folder = folder;
    this.#group = group;
    open.add(this);
    // Whatever ends this test ends it: unshare, and with that the machine's first process.
    const enter = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"';
    const unshare = [
      'unshare',
      ...NAMESPACES,
      '--fork',
      '--kill-child',
      '--propagation',
      'private',
      '--',
      SCRIPT,
      folder,
    ];
    this.#process = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', 'sh', '-c', enter, 'sh', group, ...unshare],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (chunk) => {
        this.#said = `${this.#said}${chunk}`.slice(-10_000);
      });
    }
  }

  static async start(): Promise<SystemdMachine> {
    const folder = await mkdtemp('/var/tmp/walt-machine-');
    const group = join(await hierarchy(folder), `walt-machine-${process.pid}`);
    // Programs that are started from here are in one of their own: no process may be where groups are below it (cgroups(7)).
    await mkdir(join(group, 'outside'), { recursive: true });
    const machine = new SystemdMachine(folder, group);
    try {
      await machine.#begin();
    } catch (error) {
      const said = machine.#said;
      await machine.close();
      throw new Error(`the machine did not start: ${said}`, { cause: error });
    }
    return machine;
  }

  async #begin(): Promise<void> {
    this.#init = await until(
      'the first process',
      async () => {
        if (this.#process.exitCode !== null)
          throw new Error(`it ended with status ${this.#process.exitCode}`);
        const pid = this.#process.pid;
        const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
        const name = await readFile(`/proc/${Number(children)}/comm`, 'utf8').catch(() => '');
        return name === 'systemd\n' && Number(children);
      },
      LIMIT,
    );
    await until(
      'systemd',
      async () => (await this.run('systemctl is-system-running')).stdout.startsWith('running'),
      LIMIT,
    );
  }

  /** Runs a line of shell there, whatever its exit status. */
  run(line: string): Promise<ExecResult> {
    const enter = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"';
    const nsenter = ['nsenter', `--target=${this.#init}`, ...NAMESPACES, '--'];
    return attempt(
      [
        'sh',
        '-c',
        enter,
        'sh',
        join(this.#group, 'outside'),
        ...nsenter,
        'env',
        '-i',
        ...ENVIRONMENT,
        'sh',
        '-c',
        line,
      ],
      { timeout: LIMIT },
    );
  }

  /** Runs a line of shell there, and answers what it prints. Throws when it fails. */
  async ok(line: string): Promise<string> {
    const { status, stdout, stderr } = await this.run(line);
    if (status !== 0) throw new Error(`${line}: exit status ${status}: ${stdout}${stderr}`);
    return stdout;
  }

  async close(): Promise<void> {
    open.delete(this);
    const ended =
      this.#process.exitCode === null && this.#process.signalCode === null && once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
    // All that ran there is killed with its first process; the kernel takes a moment to forget it.
    const remove = async () =>
      (await attempt(['find', this.#group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])).stderr ===
      '';
    await until('the end of its control groups', remove, LIMIT);
    await attempt(['umount', '--', join(this.folder, 'groups')]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, async () => {
    await Promise.allSettled([...open].map((machine) => machine.close()));
    process.exit(1);
  });
}

/** Where control groups of version 2 are mounted; where none are, they are now. */
async function hierarchy(folder: string): Promise<string> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const [, mounted] = /^(?:\S+ ){4}(\S+) rw.* - cgroup2 /m.exec(mounts) ?? [];
  if (mounted !== undefined) return mounted;
  const own = join(folder, 'groups');
  await mkdir(own);
  await run(['mount', '-t', 'cgroup2', 'cgroup2', own]);
  return own;
}
