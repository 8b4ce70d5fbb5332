/** What nodes get over TFTP: boards whose loader knows no HTTP, and PCs that load iPXE first. */
import { join } from 'node:path';
import { LOADERS } from '../network/index.ts';
import type { Paths } from '../platform/index.ts';
import { type BootRequest, chooseBoot } from './boot-choice.ts';
import { type Download, downloadOf, openDownload } from './boot-files.ts';
import type { NodeDirectory } from './directory.ts';
import type { InitArchives } from './init-archives.ts';
import { neighbour } from './neighbours.ts';
import type { NodeFiles } from './node-files.ts';
import { type TftpQuestion, TftpServer } from './tftp.ts';
import { boardOf, questionScript, UBOOT_QUESTION, uBootScript } from './u-boot.ts';

const loaders: readonly string[] = [LOADERS.bios, LOADERS.efi];

interface Deps {
  directory: NodeDirectory;
  paths: Pick<Paths, 'bootFiles' | 'loaders'>;
  archives: InitArchives;
  files: NodeFiles;
}

export class NodeTftp {
  readonly #deps: Deps;
  readonly #server = new TftpServer((question) => this.#answer(question));

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  listen(address: string, port: number): Promise<number> {
    return this.#server.listen(address, port);
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  async #answer({ ip, path }: TftpQuestion): Promise<Download | undefined> {
    const name = path.replace(/^(?:\.?\/)+/, '');
    if (name === LOADERS.uboot) return downloadOf(questionScript());
    if (loaders.includes(name)) return openDownload(join(this.#deps.paths.loaders, name));
    if (name.startsWith(`${UBOOT_QUESTION}?`)) {
      const query = new URLSearchParams(name.slice(UBOOT_QUESTION.length + 1));
      return downloadOf(uBootScript(await this.#choice({ ip, hardware: boardOf(query) })));
    }
    const { files } = this.#deps;
    if (name !== 'start.uboot') return files.open(ip, name);
    // The loaders of boards that were set up for WalT ask for this first, and know no other name.
    const choice = await this.#choice({ ip });
    return choice.kind === 'script' ? files.open(ip, 'boot/start.uboot') : downloadOf(uBootScript(choice));
  }

  async #choice(request: Pick<BootRequest, 'ip' | 'hardware'>) {
    return chooseBoot({ ...request, mac: await neighbour(request.ip), loader: 'start.uboot' }, this.#deps);
  }
}
