/** A PC on a platform's walt-net that nobody can tell from a real one: the platform did not make it, and its firmware is its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { virtualModelOf } from '../../packages/server/src/models/index.ts';
import { run } from '../../packages/server/src/platform/index.ts';
import type { Platform } from '../platform.ts';
import { until } from '../until.ts';

interface Firmware {
  emulator: readonly string[];
  /** Its variables are written: each machine has its own copy. */
  variables?: string;
  /** QEMU's options for its code. */
  code: readonly string[];
}

const TCG = ['-accel', 'tcg,thread=multi,tb-size=256'];
const flash = (file: string) => ['-drive', `if=pflash,format=raw,readonly=on,file=${file}`];
const { cpu, emulatedCpu = cpu } = virtualModelOf('pc-x86-64').qemu;
export const PC_EMULATOR = [
  'qemu-system-x86_64',
  '-machine',
  'q35,smm=off,vmport=off',
  '-cpu',
  emulatedCpu,
  ...TCG,
];

const FIRMWARE = {
  SeaBIOS: { emulator: PC_EMULATOR, code: [] },
  OVMF: {
    emulator: PC_EMULATOR,
    code: flash('/usr/share/OVMF/OVMF_CODE_4M.fd'),
    variables: '/usr/share/OVMF/OVMF_VARS_4M.fd',
  },
  AAVMF: {
    emulator: ['qemu-system-aarch64', '-machine', 'virt,gic-version=3', '-cpu', 'cortex-a72', ...TCG],
    code: flash('/usr/share/AAVMF/AAVMF_CODE.fd'),
    variables: '/usr/share/AAVMF/AAVMF_VARS.fd',
  },
} satisfies Record<string, Firmware>;

/** UEFI tries PXE before HTTP, unless it is told not to. */
export const HTTP_ONLY = ['IPv4PXESupport', 'IPv6PXESupport'].flatMap((name) => [
  ...['-fw_cfg', `name=opt/org.tianocore/${name},string=n`],
]);

export interface PcOptions {
  mac: string;
  firmware: keyof typeof FIRMWARE;
  /** QEMU's options for its adapter, whose `netdev` is `net`. */
  card: readonly string[];
  /** An image of a USB stick that is plugged in. */
  stick?: string;
  /** Seconds that its firmware takes longer than that of QEMU, at each start. */
  slowness?: number;
}

/** Milliseconds that a machine may take from power on to any question that it asks. */
const PATIENCE = 240_000;

export class Pc implements AsyncDisposable {
  /** What it asked for so far, in its order, and how many bytes it was answered: see frames.ts. */
  readonly questions: string[] = [];
  readonly mac: string;
  readonly #cable: ChildProcess;
  readonly #tap: string;
  readonly #platform: string;
  #machine: ChildProcess | undefined;

  private constructor(platform: Platform, index: number, mac: string, isDisguised: boolean) {
    this.mac = mac;
    this.#platform = platform.namespace;
    this.#tap = `pc${index}`;
    const cable = join(import.meta.dirname, 'cable.ts');
    const words = [process.execPath, cable, this.#tap, ...(isDisguised ? ['disguise'] : [])];
    this.#cable = this.#inside(words, 'pipe');
  }

  /** Plugs it in and switches it on. */
  static async start(platform: Platform, index: number, options: PcOptions): Promise<Pc> {
    const { mac, card, firmware, stick, slowness } = options;
    const { emulator, code, variables }: Firmware = FIRMWARE[firmware];
    const pc = new Pc(platform, index, mac, firmware === 'SeaBIOS' && stick === undefined);
    try {
      const folder = join(platform.folder, `pc${index}`);
      await mkdir(folder);
      const ports = await pc.#listen();
      const ip = ['ip', '-netns', platform.namespace];
      await until('a tap', async () => (await run([...ip, 'link', 'show', pc.#tap]).catch(() => '')) !== '');
      await run([...ip, 'link', 'set', pc.#tap, 'master', 'walt0', 'up']);
      const store = variables && join(folder, 'variables.fd');
      if (store) await copyFile(variables, store);
      pc.#machine = pc.#inside([
        ...emulator,
        ...['-no-user-config', '-nodefaults', '-display', 'none', '-smp', '1', '-m', '1G'],
        ...code,
        // So long, SeaBIOS waits for a key.
        ...(slowness ? ['-boot', `menu=on,splash-time=${slowness * 1000}`] : []),
        ...(store ? ['-drive', `if=pflash,format=raw,file=${store}`] : []),
        ...['-serial', `file:${join(folder, 'serial')}`],
        ...['-netdev', `dgram,id=net,${ports}`],
        ...['-device', 'qemu-xhci,id=usb'],
        ...card.map((word) => word.replace('MAC', mac)),
        ...(stick
          ? [
              ...['-drive', `if=none,id=stick,format=raw,readonly=on,file=${stick}`],
              ...['-device', 'usb-storage,bus=usb.0,drive=stick,bootindex=0'],
            ]
          : []),
      ]);
      return pc;
    } catch (error) {
      await pc[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Waits until it has asked for something. */
  async asked(question: RegExp): Promise<string> {
    return until(
      `${question}; it asked:\n${this.questions.join('\n')}`,
      async () => this.questions.find((one) => question.test(one)),
      PATIENCE,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.#machine, this.#cable]) {
      if (!child || child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }

  /** The first line of the cable tells its ports; all others are questions. */
  async #listen(): Promise<string> {
    const { stdout } = this.#cable;
    if (!stdout) throw new Error('the cable has no output');
    const lines = createInterface({ input: stdout });
    const [first] = await once(lines, 'line');
    const [, remote, local] = /^ports (\d+) (\d+)$/.exec(first) ?? [];
    lines.on('line', (line) => this.questions.push(line));
    const end = (name: string, port: string | undefined) =>
      `${name}.type=inet,${name}.host=127.0.0.1,${name}.port=${port}`;
    return `${end('local', local)},${end('remote', remote)}`;
  }

  /** It ends with this process, whatever happens. */
  #inside(words: readonly string[], stdio: 'pipe' | 'inherit' = 'inherit'): ChildProcess {
    const [file = '', ...rest] = ['setpriv', '--pdeathsig', 'KILL', '--', ...words];
    const env = { ...process.env, NODE_TEST_CONTEXT: '' };
    const argv = ['netns', 'exec', this.#platform, file, ...rest];
    return spawn('ip', argv, { stdio: [stdio === 'pipe' ? 'pipe' : 'ignore', stdio, 'inherit'], env });
  }
}
