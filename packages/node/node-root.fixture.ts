/** The root of a node, for tests: what the platform puts on each, and nothing of an image. Programs in it are run by chroot. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exampleTarget } from '../server/src/boot/example-target.ts';
import { identityFiles } from '../server/src/boot/initramfs/identity.ts';
import { filesOfIdentity } from '../server/src/boot/lending/index.ts';

const LAYER = fileURLToPath(new URL('layer', import.meta.url));
const BUSYBOX = '/bin/busybox';

export class NodeRoot implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'walt-node-root-'));

  /** Of the example's node, with another `type` or server if they are given. */
  constructor({ isVirtual = false, server }: { isVirtual?: boolean; server?: string } = {}) {
    chmodSync(this.folder, 0o755);
    cpSync(LAYER, this.folder, { recursive: true });
    const programs = join(this.folder, 'usr/lib/walt/bin');
    cpSync(BUSYBOX, join(programs, 'busybox'));
    execFileSync('chmod', ['-R', '755', programs]);
    for (const { path, mode, content } of identityFiles({ ...exampleTarget, isVirtual }))
      this.put(path, content, mode);
    if (server !== undefined) this.put('etc/walt/env', `export walt_server_ip=${server}\n`);
    for (const one of filesOfIdentity({ bin: 'bin' })) {
      if (one.type !== 'link') continue;
      mkdirSync(dirname(join(this.folder, one.path)), { recursive: true });
      symlinkSync(one.target, join(this.folder, one.path));
    }
    for (const folder of ['proc', 'run']) mkdirSync(join(this.folder, folder));
    for (const device of ['null', 'console', 'kmsg']) this.put(`dev/${device}`, '', 0o666);
    symlinkSync('../usr/lib/walt/bin/busybox', join(this.folder, 'bin/sh'));
  }

  put(path: string, content: string, mode = 0o644): void {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    // Whatever the umask.
    chmodSync(file, mode);
  }

  /** A program of the image: shell, with all that busybox has. */
  program(path: string, script: string, mode = 0o755): void {
    this.put(path, `#!/bin/sh\n${script}\n`, mode);
  }

  link(path: string, target: string): void {
    symlinkSync(target, join(this.folder, path));
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8');
  }

  /** What runs something in it, with a /proc, to be put in front of a program's path in it. */
  get inside(): string[] {
    const mounted = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"';
    return ['unshare', '--mount', '--', 'sh', '-c', mounted, this.folder];
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
