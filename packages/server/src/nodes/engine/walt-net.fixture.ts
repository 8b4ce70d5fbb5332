/** For tests: a network namespace with a bridge on which a DHCP server listens, and taps on it; all gone after `remove`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent, run } from '../../platform/index.ts';

export const SERVER = '192.0.2.1';

export class TestNet {
  readonly #namespace: string;
  readonly #logFile: string;
  readonly #dnsmasq: ChildProcess;

  private constructor(namespace: string, logFile: string, dnsmasq: ChildProcess) {
    this.#namespace = namespace;
    this.#logFile = logFile;
    this.#dnsmasq = dnsmasq;
  }

  static async make(folder: string, taps: readonly string[]): Promise<TestNet> {
    const namespace = `wtvm${process.pid}`;
    await run(['ip', 'netns', 'add', namespace]);
    try {
      for (const command of [
        'link set lo up',
        'link add br0 type bridge stp_state 0 forward_delay 0',
        `addr add ${SERVER}/24 dev br0`,
        'link set br0 up',
        ...taps.flatMap((tap) => [`tuntap add ${tap} mode tap`, `link set ${tap} master br0 up`]),
      ]) {
        await run(['ip', '-n', namespace, ...command.split(' ')]);
      }
      const logFile = join(folder, 'dnsmasq.log');
      const [file, ...args] = inNamespace(namespace, [
        'dnsmasq',
        '--keep-in-foreground',
        '--conf-file=/dev/null',
        '--port=0',
        '--interface=br0',
        '--bind-dynamic',
        '--leasefile-ro',
        '--pid-file',
        '--no-ping',
        '--user=root',
        '--dhcp-option=encap:175,176,1b', // else iPXE waits 3 s for a second DHCP server, before it takes this one
        '--dhcp-range=192.0.2.10,192.0.2.20',
        // There is no file at all: U-Boot hears so at once, and does not ask for a minute.
        '--enable-tftp',
        `--tftp-root=${await mkdtemp(join(folder, 'tftp-'))}`,
        `--log-facility=${logFile}`,
      ]);
      const dnsmasq = spawn(file ?? '', args, { stdio: 'inherit' });
      await once(dnsmasq, 'spawn');
      return new TestNet(namespace, logFile, dnsmasq);
    } catch (error) {
      await run(['ip', 'netns', 'delete', namespace]);
      throw error;
    }
  }

  /** The same command, run in this network. */
  inside(argv: readonly string[]): string[] {
    return inNamespace(this.#namespace, argv);
  }

  /** How often a machine with that MAC got an address: once per boot. */
  async addressesGiven(mac: string): Promise<number> {
    const text = (await readIfPresent(this.#logFile)) ?? ''; // none before dnsmasq's first words
    return text.split('\n').filter((line) => line.includes('DHCPACK') && line.includes(mac)).length;
  }

  async remove(): Promise<void> {
    this.#dnsmasq.kill('SIGKILL');
    if (this.#dnsmasq.exitCode === null && this.#dnsmasq.signalCode === null)
      await once(this.#dnsmasq, 'exit');
    await run(['ip', 'netns', 'delete', this.#namespace]);
  }
}

function inNamespace(namespace: string, argv: readonly string[]): string[] {
  return ['nsenter', `--net=/run/netns/${namespace}`, '--', ...argv];
}
