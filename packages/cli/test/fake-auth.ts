/** Proof of identity as the contract asks for it: the file's content, owner and mode are looked at. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

export class FakeAuth {
  readonly #folder: string;
  readonly #files = new Map<string, string>();
  #tokens = new Set<string>();
  /** How often somebody proved who he is. */
  proofs = 0;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  challenge(): { file: string; nonce: string } {
    const nonce = randomBytes(32).toString('hex');
    const file = randomBytes(16).toString('hex');
    this.#files.set(nonce, join(this.#folder, file));
    return { file, nonce };
  }

  prove(nonce: string): string {
    const file = this.#files.get(nonce);
    if (file === undefined) throw new Error('unknown nonce');
    if (readFileSync(file, 'utf8') !== nonce) throw new Error('wrong content');
    if ((statSync(file).mode & 0o777) !== 0o600) throw new Error('wrong mode');
    rmSync(file);
    const token = randomBytes(16).toString('hex');
    this.#tokens.add(token);
    this.proofs += 1;
    return token;
  }

  accepts(token: string | undefined): boolean {
    return token !== undefined && this.#tokens.has(token);
  }

  /** As after a restart of the server. */
  forgetTokens(): void {
    this.#tokens = new Set();
  }
}
