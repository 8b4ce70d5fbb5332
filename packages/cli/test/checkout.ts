/** The real client, as users have it: a folder with the launcher, the bundle and the manual. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildClient } from '../build.ts';
import { Pty } from './pty.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Standard input; without it, it is empty. */
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
}

export class Checkout implements Disposable {
  readonly folder: string;
  /** The launcher. */
  readonly walt: string;
  readonly home: string;
  /** Environment of the user: a home of his own, no colours. */
  readonly env: Record<string, string>;

  private constructor(folder: string, socket: string) {
    this.folder = folder;
    this.walt = join(folder, 'walt');
    this.home = join(folder, 'home');
    this.env = {
      PATH: process.env.PATH ?? '',
      HOME: this.home,
      TERM: 'xterm',
      LANG: 'C.UTF-8',
      SHELL: '/bin/bash',
      WALT_SOCKET: socket,
    };
  }

  static async make(socket = '/nonexistent/walt.sock'): Promise<Checkout> {
    const checkout = new Checkout(mkdtempSync(join(tmpdir(), 'walt-cli-checkout-')), socket);
    mkdirSync(checkout.home);
    cpSync(join(REPOSITORY, 'walt'), checkout.walt);
    symlinkSync(join(REPOSITORY, 'node_modules'), join(checkout.folder, 'node_modules'));
    await buildClient(checkout.folder);
    return checkout;
  }

  writeTopic(name: string, text: string): void {
    mkdirSync(join(this.folder, 'docs'), { recursive: true });
    writeFileSync(join(this.folder, 'docs', `${name}.md`), text);
  }

  /** A running `walt`; standard input stays open. */
  start(args: readonly string[], options: RunOptions = {}): ChildProcess {
    return spawn(this.walt, args, { env: { ...this.env, ...options.env }, cwd: options.cwd ?? this.folder });
  }

  /** Runs `walt` to its end. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const child = this.start(args, options);
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
    return outcome(child);
  }

  /** Runs `walt` on a terminal. */
  terminal(args: readonly string[], options: RunOptions = {}): Pty {
    return new Pty([this.walt, ...args], { ...this.env, ...options.env }, options.cwd ?? this.folder);
  }

  /** An interactive shell on a terminal, to start `walt` from; its prompt is `outer$ `. */
  shellTerminal(): Pty {
    return new Pty(['bash', '--norc', '--noprofile', '-i'], this.env, this.folder);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function outcome(child: ChildProcess): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}
