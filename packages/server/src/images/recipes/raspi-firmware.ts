/** Start files of Raspberry Pis, of Debian's raspi-firmware. The package is not free: it is fetched only where server.conf allows it. */
import { copyFile, lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileExists, type Log, namesIn, rarely, run, UserError, withFileLock } from '../../platform/index.ts';
import type { HostCommand } from '../types.ts';
import { nonFreeSources, readAptSetup } from './apt-sources.ts';

const PACKAGE = 'raspi-firmware';
/** Where the package has them. */
const FOLDER = 'usr/lib/raspi-firmware';
/** What is taken of it, at most so many bytes each. */
const FILE = /^(?:bootcode\.bin|start[a-z0-9_]*\.elf|fixup[a-z0-9_]*\.dat)$/;
const MAX_FILE = 64 * 1024 * 1024;
/** Milliseconds between attempts that machines cause. */
const PAUSE = 60_000;

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

interface Deps {
  /** What can be made again, shared between platforms. */
  cache: string;
  /** `firmware.non-free` of server.conf. */
  allowed: boolean;
  host: HostCommand;
  log: Log;
}

export class RaspiFirmware {
  readonly #deps: Deps;
  readonly #warn: ReturnType<typeof rarely>;
  readonly #ending = new AbortController();
  #fetching: Promise<void> = Promise.resolve();
  #tried = Number.NEGATIVE_INFINITY;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#warn = rarely(deps.log.warn);
  }

  /**
   * Path of one of its files, for a machine that asks for it. Undefined: it has no such file, or none at all yet; the journal
   * then tells why, and where it may be fetched, that begins.
   */
  async file(name: string): Promise<string | undefined> {
    if (!FILE.test(name)) return undefined;
    const path = join(this.#folder, name);
    if (await fileExists(path)) return path;
    if (await this.#isThere()) return undefined;
    if (this.#deps.allowed) this.begin();
    else this.#warn(`no firmware for a Raspberry Pi: ${this.#refusal().message}`, { file: name }, 'firmware');
    return undefined;
  }

  /** Fetches it in the background, unless it is there or may not be fetched. */
  begin(): void {
    if (!this.#deps.allowed || Date.now() - this.#tried < PAUSE) return;
    this.#tried = Date.now();
    this.#fetching = this.ensure({ renew: false, signal: this.#ending.signal }).catch((error) => {
      if (!this.#ending.signal.aborted)
        this.#deps.log.error(`cannot fetch ${PACKAGE}`, { error: String(error) });
    });
  }

  /** Ends what `begin` began. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#fetching;
  }

  /** Throws UserError UNAVAILABLE when it may not be fetched, ExternalError when it cannot be. */
  async ensure({ renew, signal }: { renew: boolean; signal: AbortSignal }): Promise<void> {
    const { allowed, cache, log } = this.#deps;
    if (!renew && (await this.#isThere())) return;
    if (!allowed) throw this.#refusal();
    await mkdir(cache, { recursive: true });
    await withFileLock(
      join(cache, `${PACKAGE}.lock`),
      signal,
      () => {},
      async () => {
        if (!renew && (await this.#isThere())) return;
        await this.#fetch(signal);
        log.info(`${PACKAGE} is there`, { folder: this.#folder });
      },
    );
  }

  get #folder(): string {
    return join(this.#deps.cache, PACKAGE);
  }

  async #isThere(): Promise<boolean> {
    return (await namesIn(this.#folder)).length > 0;
  }

  #refusal(): UserError {
    return new UserError(
      'UNAVAILABLE',
      `Raspberry Pis 3 and 4 load their first files from Debian's ${PACKAGE}, which is not free software, and the server may not fetch it.`,
      'Write "firmware: { non-free: true }" into server.conf, then: walt-server restart',
    );
  }

  /** By apt, with folders of its own and the machine's own mirrors: the machine's apt learns nothing of it. */
  async #fetch(signal: AbortSignal): Promise<void> {
    const { host, cache } = this.#deps;
    const scratch = join(cache, `${PACKAGE}.scratch`);
    const at = (...parts: string[]) => join(scratch, ...parts);
    await rm(scratch, { recursive: true, force: true });
    try {
      for (const folder of ['lists/partial', 'archives/partial', 'taken'])
        await mkdir(at(folder), { recursive: true });
      const { sources } = await readAptSetup();
      const keyring = (await fileExists(KEYRING)) ? KEYRING : undefined;
      await writeFile(at('sources.list'), `${nonFreeSources(sources, keyring).join('\n')}\n`);
      const settings = {
        'Dir::Etc::SourceList': at('sources.list'),
        'Dir::Etc::SourceParts': '/dev/null',
        'Dir::State::Lists': at('lists'),
        'Dir::Cache': scratch,
        'Dir::Cache::archives': at('archives'),
        'APT::Sandbox::User': 'root',
      };
      const apt = [
        'apt-get',
        '-q',
        ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
      ];
      const options = { cwd: scratch, env: { LC_ALL: 'C.UTF-8' }, signal };
      await run(host([...apt, 'update']), options);
      await run(host([...apt, 'download', PACKAGE]), options);
      const [archive] = (await readdir(scratch)).filter((name) => name.endsWith('.deb'));
      if (archive === undefined) throw new Error(`apt-get left no archive of ${PACKAGE}`);
      await run(['dpkg-deb', '--extract', at(archive), at('tree')], { signal });
      for (const name of await readdir(at('tree', FOLDER))) {
        const source = at('tree', FOLDER, name);
        const stats = await lstat(source);
        if (FILE.test(name) && stats.isFile() && stats.size <= MAX_FILE)
          await copyFile(source, at('taken', name));
      }
      await copyFile(at('tree', 'usr/share/doc', PACKAGE, 'copyright'), at('taken', 'copyright'));
      // Whoever sends a file of the old folder has it open.
      await rm(this.#folder, { recursive: true, force: true });
      await rename(at('taken'), this.#folder);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }
}
