/** A platform to misbehave on: a small image of a user's own, and the words that mean something there. */
import { chmod, copyFile, mkdir, readFile, symlink } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { RPC_PREFIX } from '@walt/contract';
import { run } from '../../packages/server/src/platform/index.ts';
import type { Client } from '../client.ts';
import { importImage } from '../import-image.ts';
import { Platform } from '../platform.ts';
import { Vocabulary } from './vocabulary.ts';

export class World implements AsyncDisposable {
  readonly platform: Platform;
  readonly user: Client;
  readonly token: string;
  readonly vocabulary: Vocabulary;

  private constructor(platform: Platform, user: Client, token: string) {
    this.platform = platform;
    this.user = user;
    this.token = token;
    this.vocabulary = new Vocabulary(user.user);
  }

  static async make(): Promise<World> {
    const platform = await Platform.start({ start: false });
    try {
      // As the platform makes it: the import runs before there was one.
      await mkdir(platform.paths.runtime, { mode: 0o755 });
      await importImage(platform, 'seed', await busyboxTar(platform.folder), ['CMD ["/bin/sh"]']);
      await platform.up();
      await platform.root.ok('advanced', 'update-default-images', '--if-missing');
      const user = await platform.as('daemon');
      await user.ok('image', 'duplicate', 'root/seed', 'mine');
      const found = await run(['find', user.home, '-name', 'token', '-type', 'f']);
      const { token } = JSON.parse(await readFile(found.trim(), 'utf8'));
      return new World(platform, user, token);
    } catch (error) {
      await platform.close();
      throw error;
    }
  }

  /** One call of the contract, as the user. Answers what it answers, or undefined when it fails. */
  async call<T>(path: string, input: unknown): Promise<T | undefined> {
    const answer = await new Promise<string>((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' };
      const where = {
        socketPath: this.platform.paths.socket,
        path: `${RPC_PREFIX}/${path}`,
        headers,
        method: 'POST',
        agent: false,
      };
      request(where, (response) => text(response).then(resolve, reject))
        .on('error', reject)
        .end(JSON.stringify({ json: input }));
    });
    const { json } = JSON.parse(answer);
    return json?.code === undefined ? json : undefined;
  }

  /** The user has his image, whatever was done to it. */
  async restore(): Promise<void> {
    await this.call('image/duplicate', { image: 'root/seed', newName: 'mine', yes: true });
  }

  /** Gives up what was really made: sessions, nodes, images. */
  async tidy(): Promise<void> {
    const sessions = await this.call<{ id: string }[]>('image/shell/list', {});
    for (const { id } of sessions ?? []) await this.call('image/shell/discard', { session: id });
    const nodes = (await this.call<{ name: string; type: string }[]>('node/list', {})) ?? [];
    for (const { name } of nodes) await this.call('node/remove', { set: name, yes: true });
    const images = await this.call<{ name: string }[]>('image/list', {});
    for (const { name } of images ?? []) await this.call('image/remove', { image: name, yes: true });
    await this.restore();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.platform.close();
  }
}

async function busyboxTar(folder: string): Promise<string> {
  const root = join(folder, 'seed');
  for (const path of ['bin', 'etc', 'tmp', 'usr/local']) await mkdir(join(root, path), { recursive: true });
  await copyFile('/bin/busybox', join(root, 'bin/busybox'));
  await chmod(join(root, 'bin/busybox'), 0o755);
  for (const name of ['sh', 'cat', 'true', 'sleep', 'tar']) await symlink('busybox', join(root, 'bin', name));
  const tar = join(folder, 'seed.tar');
  await run(['tar', '--create', '--file', tar, '--directory', root, '.']);
  return tar;
}
