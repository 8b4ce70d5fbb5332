/**
 * Kills the server at random moments of random commands, round after round. After each round, what was acknowledged is there, and what was not is
 * there as a whole or not at all. At the end, database, store, volumes and boot files agree with each other.
 */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { Image } from '@walt/contract';
import { volumeName } from '../../packages/server/src/images/index.ts';
import { fileExists, namesIn } from '../../packages/server/src/platform/index.ts';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import type { Random } from './random.ts';

/** Milliseconds after its start in which a command is cut off; most are done within it. */
const WINDOW = 1_500;
const BASE = `waltplatform/${DEFAULT_IMAGE}`;
/** File of an image that tells which round wrote it last. */
const MARK = '/root/mark';

/** What may be in an image's mark after a round; undefined: there may be no such image. */
type Allowed = readonly (string | undefined)[];

interface Act {
  words: string[];
  input?: string;
  /** What must hold for the images that it changes, when it was acknowledged. */
  done: Record<string, string | undefined>;
}

export class CrashRounds {
  readonly #platform: Platform;
  readonly #random: Random;
  /** Marks of the images that are there. */
  readonly #marks = new Map<string, string>();

  constructor(platform: Platform, random: Random) {
    this.#platform = platform;
    this.#random = random;
  }

  /** Answers how often the server was killed before the command had its answer. */
  async run(rounds: number): Promise<number> {
    await this.#platform.root.ok('image', 'duplicate', BASE, 'image-0');
    this.#marks.set('image-0', '');
    let cutOff = 0;
    for (let round = 1; round <= rounds; round += 1) {
      if (!(await this.#round(round))) cutOff += 1;
    }
    await this.#platform.up();
    await this.#agree();
    return cutOff;
  }

  /** True when the command was acknowledged. */
  async #round(round: number): Promise<boolean> {
    const { root } = this.#platform;
    const act = await this.#choose(round);
    const running = root.run(root.command(...act.words), { input: act.input ?? '' });
    await delay(this.#random.below(WINDOW)); // the moment of the crash is the subject here
    await this.#platform.crash();
    const { status } = await running;
    const about = `round ${round} (${act.words.join(' ')}, exit status ${status})`;
    for (const [name, mark] of Object.entries(act.done)) {
      const allowed: Allowed = status === 0 ? [mark] : [mark, this.#marks.get(name)];
      const found = await this.#mark(name);
      assert.ok(allowed.includes(found), `${about}: ${name} has ${found}, not ${allowed.join(' or ')}`);
      if (found === undefined) this.#marks.delete(name);
      else this.#marks.set(name, found);
    }
    const names = (await this.#images()).map(({ name }) => name).sort();
    assert.deepEqual(names, [...this.#marks.keys()].sort(), about);
    return status === 0;
  }

  async #choose(round: number): Promise<Act> {
    const names = [...this.#marks.keys()];
    const name = this.#random.of(names);
    const mark = `round ${round}`;
    const fresh = `image-${round}`;
    const acts: (() => Promise<Act> | Act)[] = [
      () => ({
        words: ['image', 'shell', name, '--save'],
        input: `echo ${mark} > ${MARK}\nexit\n`,
        done: { [name]: `${mark}\n` },
      }),
      async () => {
        const file = join(this.#platform.folder, 'mark');
        await writeFile(file, mark);
        return { words: ['image', 'cp', file, `${name}:${MARK}`], done: { [name]: mark } };
      },
      async () => {
        const folder = await mkdtemp(join(this.#platform.folder, 'round-'));
        await writeFile(join(folder, 'mark'), mark);
        await writeFile(join(folder, 'Dockerfile'), `FROM ${name}\nCOPY mark ${MARK}\n`);
        return { words: ['image', 'build', fresh, '--from-dir', folder], done: { [fresh]: mark } };
      },
      () => ({ words: ['image', 'duplicate', name, fresh], done: { [fresh]: this.#marks.get(name) } }),
      () => ({
        words: ['image', 'rename', name, fresh],
        done: { [name]: undefined, [fresh]: this.#marks.get(name) },
      }),
    ];
    if (names.length > 2) {
      acts.push(() => ({ words: ['image', 'remove', name, '--yes'], done: { [name]: undefined } }));
    }
    return await this.#random.of(acts)();
  }

  async #images(): Promise<Image[]> {
    const images = await this.#platform.root.json<Image[]>('image', 'show');
    const ours = images.filter(({ name }) => name.startsWith('image-'));
    // A session that a crash cut off waits: the next round begins without.
    for (const { name, session } of ours) {
      if (session) await this.#platform.root.ok('image', 'shell', name, '--discard');
    }
    return ours;
  }

  /** Undefined: there is no such image. Empty: nobody wrote a mark into it. */
  async #mark(name: string): Promise<string | undefined> {
    if (!(await this.#images()).some((image) => image.name === name)) return undefined;
    const file = join(this.#platform.folder, 'mark-back');
    await rm(file, { force: true });
    const { status } = await this.#platform.root.walt('image', 'cp', `${name}:${MARK}`, file);
    return status === 0 ? await readFile(file, 'utf8') : '';
  }

  /** Looks into what is stored, without the server's help. */
  async #agree(): Promise<void> {
    const { paths, folder } = this.#platform;
    const copy = join(folder, 'copy.db');
    for (const suffix of ['', '-wal']) {
      await copyFile(`${paths.database}${suffix}`, `${copy}${suffix}`);
    }
    const database = new DatabaseSync(copy);
    try {
      const all = (text: string) => database.prepare(text).all();
      assert.deepEqual(
        all('PRAGMA integrity_check').map((row) => ({ ...row })),
        [{ integrity_check: 'ok' }],
      );
      assert.deepEqual(all('PRAGMA foreign_key_check'), []);
      assert.deepEqual(all('SELECT * FROM shell_session'), []);
      const kept = JSON.parse(await readFile(join(paths.containers, 'overlay-images/images.json'), 'utf8'));
      const stored = new Set((kept as { id: string }[]).map(({ id }) => `sha256:${id}`));
      const digests = all('SELECT digest, layers, kernel FROM image_digest');
      assert.ok(digests.length > 1);
      for (const { digest, layers, kernel } of digests) {
        assert.ok(stored.has(String(digest)), `${digest} is in the store`);
        const boot = join(paths.bootFiles, String(digest).slice('sha256:'.length));
        assert.ok(await fileExists(join(boot, 'boot.json')), `${digest} has boot files`);
        const hasKernel = (await namesIn(boot)).some((name) => name.startsWith('vmlinuz-'));
        if (kernel !== null) assert.ok(hasKernel, `${digest} has its kernel`);
        for (const layer of JSON.parse(String(layers)) as string[]) {
          assert.ok(await fileExists(join(paths.volumes, volumeName(layer))), `${layer} has its volume`);
        }
      }
      const known = new Set(digests.map(({ digest }) => String(digest).slice('sha256:'.length)));
      const boots = (await namesIn(paths.bootFiles)).filter((name) => /^[0-9a-f]{64}$/.test(name));
      assert.deepEqual(
        boots.filter((name) => !known.has(name)),
        [],
        'boot files of what is not known',
      );
    } finally {
      database.close();
    }
    const halves = [paths.volumes, paths.bootFiles, paths.keys, paths.services].map(async (place) =>
      (await namesIn(place)).filter((name) => name.endsWith('.tmp')),
    );
    assert.deepEqual((await Promise.all(halves)).flat(), [], 'files that were begun');
  }
}
