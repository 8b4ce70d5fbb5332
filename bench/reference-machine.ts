import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { machineFiles, qemuArguments } from '../packages/server/src/nodes/virtual/machine.ts';
import { writeSharedFiles } from '../packages/server/src/nodes/virtual/shared-files.ts';
import { run } from '../packages/server/src/platform/index.ts';
import type { Platform } from '../test/platform.ts';
import type { Subject } from './boot-times.ts';
import { delayArguments, type Link, limitRate } from './link.ts';

const MAC = '52:54:00:be:ac:11';
const IP = '10.73.255.11';
const TAP = 'reference';

export interface ReferenceBoot {
  kernel: string;
  initramfs: string;
  /** Address of the NFS server. */
  server: string;
  /** File of its disk, if it has one. What it writes there is forgotten. */
  disk?: string;
  /** Between it and the bridge; its rate is that of the tap. */
  link?: Link | undefined;
}

/** A machine like the product's virtual nodes, but for where its kernel and its root come from. Off until `powerOn`. */
export class ReferenceMachine implements Subject {
  readonly ip = IP;
  readonly tap = TAP;
  readonly namespace: string;
  readonly insider: number;
  readonly consoleLog: string;
  readonly #argv: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(platform: Platform, insider: number, argv: readonly string[], consoleLog: string) {
    this.namespace = platform.namespace;
    this.insider = insider;
    this.consoleLog = consoleLog;
    this.#argv = argv;
  }

  static async make(platform: Platform, name: string, boot: ReferenceBoot): Promise<ReferenceMachine> {
    const folder = join(platform.folder, `reference-${name}`);
    const paths = { virtual: folder, virtualRun: join(folder, 'run') };
    const files = machineFiles(0, paths);
    await mkdir(files.folder, { recursive: true });
    await mkdir(files.runFolder, { recursive: true });
    await writeSharedFiles(paths);
    const machine = {
      id: 0,
      model: 'pc-x86-64' as const,
      mac: MAC,
      tap: TAP,
      cpuCores: 2,
      ramMiB: 1024,
      disks: [],
      networks: [{ name: 'walt-net' }],
      place: { features: [] },
      logsConsole: false,
    };
    const { accelerator } = await platform.status();
    const host = { accelerator, vhostNet: false, userIds: 65_536 };
    const append = [
      ...['console=ttyS0,115200', 'quiet', 'panic=10', 'net.ifnames=0'],
      ...[`walt.ip=${IP}/16`, `walt.server=${boot.server}`, `walt.mac=${MAC}`],
    ];
    const argv = [
      // The kernel is given, so it must come before the network card.
      ...qemuArguments(machine, host, paths).map((word) => word.replace(',bootindex=0', '')),
      ...['-kernel', boot.kernel, '-initrd', boot.initramfs, '-append', append.join(' ')],
      ...(boot.link ? delayArguments(boot.link) : []),
      ...(boot.disk ? ['-drive', `file=${boot.disk},format=raw,if=virtio,snapshot=on`] : []),
    ];
    return new ReferenceMachine(platform, await platform.pid('dnsmasq'), argv, files.consoleLog);
  }

  /** Makes the interface that all reference machines share, one at a time. */
  static async makeTap({ namespace }: Platform, link?: Link): Promise<void> {
    await run(['ip', '-n', namespace, 'tuntap', 'add', 'dev', TAP, 'mode', 'tap']);
    await run(['ip', '-n', namespace, 'link', 'set', TAP, 'master', 'walt0', 'up']);
    if (link) await limitRate(namespace, TAP, link);
  }

  async powerOn(): Promise<void> {
    const [file = '', ...words] = this.#argv;
    this.#process = spawn('ip', ['netns', 'exec', this.namespace, file, ...words], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(this.#process, 'spawn');
  }

  async powerOff(): Promise<void> {
    const machine = this.#process;
    this.#process = undefined;
    if (!machine || machine.exitCode !== null) return;
    const ended = once(machine, 'exit');
    machine.kill('SIGKILL');
    await ended;
  }
}
