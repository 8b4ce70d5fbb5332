/**
 * What firmware of Raspberry Pis loads: https://www.raspberrypi.com/documentation/computers/remote-access.html#network-boot. It asks for
 * some thirty names, most of which nobody has, for many twice (once to learn the size), and gives up without a word.
 *
 * It names no node and no boot. The boot is noted when it asks for the first file that belongs to one: its device tree, which comes
 * first and tells the model of a machine that is new, or command line, kernel or initramfs. All that follows is of that boot,
 * until the node is up, it asks for its start file again, or two minutes have passed.
 */
import { findModel, firmwarePrefixes, fittingsOf, type Model, modelOfFirmware } from '../../models/index.ts';
import { createLog, type Paths, rarely } from '../../platform/index.ts';
import {
  type BootRecord,
  type Download,
  downloadOf,
  imageBootFolder,
  kernelName,
  openDownload,
} from '../boot-files.ts';
import type { BootTarget, Glance, NodeDirectory } from '../directory.ts';
import type { InitArchives } from '../initramfs/index.ts';
import { DeviceTrees } from '../kernel/index.ts';
import {
  argumentsText,
  chooseBoot,
  configText,
  FIRMWARE_FILES,
  firmwareFile,
  judgeBoot,
  noteWaiting,
} from '../scripts/index.ts';
import type { NodeFiles } from './node-files.ts';

const warn = rarely(createLog('boot').warn);

/** More than any network has. Who is forgotten has two minutes, as one without a start file. */
const MAX_STARTING = 10_000;

/** The start files of boards, where the server has them. */
export interface StartFiles {
  /** Path of one. */
  file(name: string): Promise<string | undefined>;
}

export interface RaspberryDeps {
  directory: NodeDirectory;
  paths: Pick<Paths, 'bootFiles'>;
  archives: InitArchives;
  files: NodeFiles;
  firmware: StartFiles;
}

/** Who asks, and what is known of it. */
interface Asker {
  ip: string;
  mac: string;
  /** Undefined: no node yet. */
  node: Glance | undefined;
}

export class RaspberryFiles {
  readonly #deps: RaspberryDeps;
  /** Addresses of boards that have just begun anew: what they ask for next is of another boot. */
  readonly #starting = new Set<string>();

  constructor(deps: RaspberryDeps) {
    this.#deps = deps;
  }

  /** Undefined: there is no such file, or the machine that asks is no Raspberry Pi. */
  async open(ip: string, mac: string | undefined, path: string): Promise<Download | undefined> {
    const name = firmwareFile(path);
    if (name === undefined || mac === undefined) return undefined;
    const found = await this.#deps.directory.glance(ip);
    const node = found?.mac === mac ? found : undefined;
    const isBoard = node
      ? findModel(node.model)?.firmware
      : firmwarePrefixes.some((one) => mac.startsWith(one));
    if (!isBoard) return undefined;
    const file = await this.#file({ ip, mac, node }, name);
    // Sent twice, a block is counted twice (raspberrypi/firmware#1631).
    return file && { ...file, isSentOnce: true };
  }

  async #file(asker: Asker, name: string): Promise<Download | undefined> {
    switch (name) {
      case 'config.txt':
        return this.#config(asker);
      case FIRMWARE_FILES.arguments: {
        const boot = await this.#boot(asker);
        return boot && downloadOf(Buffer.from(argumentsText(boot.target)));
      }
      case FIRMWARE_FILES.kernel: {
        const boot = await this.#boot(asker);
        if (!boot) return undefined;
        const name = kernelName(fittingsOf(boot.target).adapters);
        return this.#deps.files.kernel(asker.ip, boot.target.digest, name);
      }
      case FIRMWARE_FILES.initramfs:
        return (await this.#boot(asker)) && this.#deps.files.open(asker.ip, 'node/initramfs');
      default:
        return name.endsWith('.dtb') ? this.#deviceTree(asker, name) : this.#startFile(asker, name);
    }
  }

  async #config({ ip, node }: Asker): Promise<Download | undefined> {
    if (!node) return downloadOf(Buffer.from(configText('arm64')));
    const record = await this.#bootable(ip, node);
    return record && downloadOf(Buffer.from(configText(record.architecture)));
  }

  /** A board that could not boot gets none: it then asks again later, while one without a kernel stands still until it is switched off. */
  async #startFile({ ip, node }: Asker, name: string): Promise<Download | undefined> {
    const path = await this.#deps.firmware.file(name);
    if (path === undefined || (node && !(await this.#bootable(ip, node)))) return undefined;
    if (this.#starting.size >= MAX_STARTING) this.#starting.clear();
    this.#starting.add(ip);
    return openDownload(path);
  }

  /** What is known of the image that a node would be given now, if it can boot that. */
  async #bootable(ip: string, { name, mac, model, digest }: Glance): Promise<BootRecord | undefined> {
    const answer =
      digest === null
        ? { obstacle: `the image of ${name} is gone, or cannot boot` }
        : await judgeBoot({ name, model, digest }, { loader: 'firmware' }, this.#deps);
    if (answer.obstacle === undefined) return answer.record;
    await noteWaiting({ ip, mac }, answer.obstacle, this.#deps.directory);
    return undefined;
  }

  async #deviceTree(asker: Asker, name: string): Promise<Download | undefined> {
    const { ip, mac, node } = asker;
    const model = modelOfFirmware(name);
    if (!model) return undefined;
    if (node) await this.#deps.directory.recognize(node, model.name);
    if (node && node.model !== model.name) {
      const told = { node: node.name, ip, mac, model: node.model, firmware: model.name };
      warn('a node has the firmware of another model: forget it, and it comes back as what it is', told, ip);
      return undefined;
    }
    const boot = await this.#boot(asker, model);
    if (boot?.deviceTree === undefined) return undefined;
    const trees = await DeviceTrees.open(this.#folder(boot.target));
    const bytes = await trees.read(boot.deviceTree);
    return bytes && downloadOf(bytes);
  }

  /** The boot that a file belongs to. `model`: what a machine is that may be new. */
  async #boot(
    { ip, mac, node }: Asker,
    model?: Model,
  ): Promise<{ target: BootTarget; deviceTree?: string | undefined } | undefined> {
    const begins = this.#starting.delete(ip);
    const noted = node?.isBooting && !begins ? await this.#deps.directory.currentBoot(ip) : undefined;
    if (noted?.mac === mac) {
      const answer = await judgeBoot(noted, { loader: 'firmware' }, this.#deps);
      return answer.obstacle === undefined ? { target: noted, deviceTree: answer.deviceTree } : undefined;
    }
    const hardware = model && { architecture: model.architecture, model: model.name, words: model.name };
    const choice = await chooseBoot({ ip, mac, hardware, loader: 'firmware' }, this.#deps);
    return choice.kind === 'kernel' ? choice : undefined;
  }

  #folder({ digest }: BootTarget): string {
    return imageBootFolder(this.#deps.paths, digest);
  }
}
