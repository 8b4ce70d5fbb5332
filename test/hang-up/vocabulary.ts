import {
  commandWord,
  imageLink,
  imageName,
  imageReference,
  imageVersion,
  nodeName,
  nodeSet,
} from '@walt/contract';
import type * as z from 'zod';

const PUBLIC_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS comment';
/** Words of the server's that are remembered. */
const MAX_HEARD = 60;

/** Texts that mean something on a platform, so that what is made of them gets far. */
export class Vocabulary {
  /** By the contract's schema of such a name. */
  readonly #names: ReadonlyMap<z.core.$ZodType, readonly string[]>;
  readonly #words: readonly string[] = [
    ...['/', '/etc', '/new', '/usr/local', '/home/me/project'],
    ...['FROM root/seed\nCOPY . /app\nRUN true\n', PUBLIC_KEY, 'amd64', 'pc-x86-64', 'true', 'kind', 'hub'],
  ];
  /** What the server has told: jobs, sessions, digests; the newest last. */
  #heard: string[] = [];

  constructor(user: string) {
    const images = ['mine', `${user}/mine`, 'root/seed'];
    this.#names = new Map<z.core.$ZodType, readonly string[]>([
      [imageReference, images],
      [imageVersion, [...images, 'mine@{1}']],
      [imageName, ['mine', 'other']],
      [imageLink, ['walt:root/seed']],
      [commandWord, ['cat', 'true']],
      [nodeName, ['hangup']],
      [nodeSet, ['hangup', 'my-nodes']],
    ]);
  }

  /** Names of exactly this kind. */
  namesOf(schema: z.core.$ZodType): readonly string[] | undefined {
    return this.#names.get(schema);
  }

  get words(): readonly string[] {
    return [...this.#words, ...this.#heard];
  }

  hear(answer: string): void {
    const told = [...answer.matchAll(/"([^"\\]{3,80})"/g)].map(([, word = '']) => word);
    this.#heard = [...new Set([...this.#heard, ...told])].slice(-MAX_HEARD);
  }
}
