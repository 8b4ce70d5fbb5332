/** What nodes get over TFTP: firmware that knows no HTTP. */
import { loaders } from '../../models/index.ts';
import { type Download, downloadOf } from '../boot-files.ts';
import {
  type BootRequest,
  boardOf,
  chooseBoot,
  GRUB_SCRIPT,
  grubScript,
  questionScript,
  UBOOT_QUESTION,
  uBootScript,
} from '../scripts/index.ts';
import { neighbour } from './neighbours.ts';
import { type RaspberryDeps, RaspberryFiles } from './raspberry-files.ts';
import { type TftpQuestion, TftpServer } from './tftp.ts';

interface Deps extends RaspberryDeps {
  /** Ends HTTP connections of a machine that has just started. */
  reset: (ip: string) => void;
}

type Answer = (tftp: NodeTftp, ip: string, query: URLSearchParams) => Promise<Download | undefined>;

export class NodeTftp {
  readonly #deps: Deps;
  readonly #raspberry: RaspberryFiles;
  readonly #server = new TftpServer((question) => this.#answer(question));

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#raspberry = new RaspberryFiles(deps);
  }

  listen(address: string, port: number): Promise<number> {
    return this.#server.listen(address, port);
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  /** What is answered here, by the path as far as its `?`; every other path is a file. Tests go through it, too. */
  static readonly routes: ReadonlyMap<string, Answer> = new Map<string, Answer>([
    ...loaders
      .filter(({ isMade }) => isMade)
      .map(({ file }): [string, Answer] => [file, async () => downloadOf(questionScript())]),
    [`${UBOOT_QUESTION}?`, (tftp, ip, query) => tftp.#uBoot(ip, query)],
    [GRUB_SCRIPT, (tftp, ip) => tftp.#grub(ip)],
    // The loaders of boards that were set up for WalT ask for this first, and know no other name.
    ['start.uboot', (tftp, ip) => tftp.#start(ip)],
  ]);

  async #answer({ ip, path }: TftpQuestion): Promise<Download | undefined> {
    this.#deps.directory.asked(ip, 'tftp', path);
    const name = path.replace(/^(?:\.?\/)+/, '');
    const [, word = '', query] = /^([^?]*\??)(.*)$/s.exec(name) ?? [];
    const answer = NodeTftp.routes.get(word);
    if (answer) return answer(this, ip, new URLSearchParams(query));
    return (await this.#deps.files.open(ip, name)) ?? this.#raspberry.open(ip, await neighbour(ip), name);
  }

  async #uBoot(ip: string, query: URLSearchParams): Promise<Download> {
    return downloadOf(uBootScript(await this.#choice({ ip, hardware: boardOf(query) })));
  }

  async #grub(ip: string): Promise<Download> {
    // It takes the same ports at each start, and gives up where the kernel here goes on with a connection of a start before.
    this.#deps.reset(ip);
    const hardware = { model: 'pc-arm64', architecture: 'arm64', words: 'this machine' } as const;
    return downloadOf(grubScript(await this.#choice({ ip, hardware, loader: 'firmware' })));
  }

  async #start(ip: string): Promise<Download | undefined> {
    const choice = await this.#choice({ ip });
    if (choice.kind !== 'script') return downloadOf(uBootScript(choice));
    return this.#deps.files.open(ip, 'boot/start.uboot');
  }

  async #choice(request: Pick<BootRequest, 'ip' | 'hardware'> & Partial<Pick<BootRequest, 'loader'>>) {
    return chooseBoot({ loader: 'start.uboot', ...request, mac: await neighbour(request.ip) }, this.#deps);
  }
}
