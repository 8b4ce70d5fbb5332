/** A registry of the test's own on loopback: Debian's docker-registry, with TLS and a password where wanted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Architecture, type ImageLink, parseImageLink, type RegistryLink } from '@walt/contract';
import { type RegistryConfig, run } from '../src/platform/index.ts';
import { freePort } from './free-port.ts';
import { type Platform, result } from './platform.ts';

export interface TestRegistry extends AsyncDisposable {
  /** `localhost:PORT`. */
  host: string;
  /** Certificate of the authority that signed its own. */
  ca: string;
  username: string;
  password: string;
}

/** Starts a registry that keeps its files in `folder`, which must exist. Resolves when it answers. */
export async function startRegistry(folder: string): Promise<TestRegistry> {
  const [username, password] = ['ann', 'se$cret: "1"'];
  const { ca, certificate, key } = await makeCertificates(folder);
  const users = await run(['htpasswd', '-inB', username], { input: password });
  await writeFile(join(folder, 'htpasswd'), users);
  const port = await freePort();
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: `127.0.0.1:${port}`, tls: { certificate, key } },
    auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } },
  };
  const file = join(folder, 'registry.yml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', file], { stdio: 'ignore' });
  await answering(child, port, ca);
  return {
    ...{ host: `localhost:${port}`, ca, username, password },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** An authority, and a certificate for `localhost` that it signed. */
export async function makeCertificates(
  folder: string,
): Promise<{ ca: string; certificate: string; key: string }> {
  await mkdir(folder, { recursive: true });
  const file = (name: string) => join(folder, name);
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const days = ['-days', '2'];
  await run([
    ...['openssl', 'req', '-x509', ...ec, ...days, '-subj', '/CN=test authority'],
    ...['-keyout', file('ca.key'), '-out', file('ca.crt')],
  ]);
  await run([
    ...['openssl', 'req', ...ec, '-subj', '/CN=localhost'],
    ...['-keyout', file('server.key'), '-out', file('server.csr')],
  ]);
  await writeFile(file('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  await run([
    ...['openssl', 'x509', '-req', '-in', file('server.csr'), ...days, '-extfile', file('names')],
    ...['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial', '-out', file('server.crt')],
  ]);
  return { ca: file('ca.crt'), certificate: file('server.crt'), key: file('server.key') };
}

/** It tells nobody when it listens: it is asked until it answers. */
async function answering(child: ChildProcess, port: number, ca: string): Promise<void> {
  const authority = await readFile(ca);
  for (;;) {
    if (child.exitCode !== null) throw new Error('docker-registry has ended');
    const asked = request({ host: '127.0.0.1', servername: 'localhost', port, path: '/v2/', ca: authority });
    asked.end();
    try {
      const [response] = await once(asked, 'response');
      response.resume();
      return;
    } catch {
      await pause(50);
    }
  }
}

/** A registry as server.conf describes it. */
export function configured(label: string, host: string, more: Partial<RegistryConfig> = {}): RegistryConfig {
  const base = { label, host, kind: 'docker-registry-v2', protocol: 'https', description: '' };
  const none = { ca: undefined, otherHosts: [] };
  return { ...base, ...none, ...more } as RegistryConfig;
}

export function registryLink(text: string): RegistryLink {
  const parsed: ImageLink | undefined = parseImageLink(text);
  if (parsed?.kind !== 'registry') throw new Error(`${text} is no link to a registry`);
  return parsed;
}

interface CloneOptions {
  user?: string;
  force?: boolean;
  architecture?: Architecture;
  signal?: AbortSignal;
}

/** Clones to the end; `startClone` begins. */
export async function clone({ images }: Platform, text: string, name: string, options: CloneOptions = {}) {
  return result(startClone({ images }, text, name, options));
}

export function startClone(
  { images }: Pick<Platform, 'images'>,
  text: string,
  name: string,
  options: CloneOptions = {},
) {
  const { user = 'ann', force = false, architecture, signal = new AbortController().signal } = options;
  const how = { force, architecture };
  return images.registries.clone(user, registryLink(text), { owner: user, name }, how, signal);
}

/** What an attempt must not leave: drafts of volumes, folders of layers on their way. */
export async function leftovers({ paths }: Platform): Promise<string[]> {
  const way = await readdir(join(paths.containers, 'tmp'));
  const drafts = (await readdir(paths.volumes)).filter((name) => name.endsWith('.tmp'));
  return [...way, ...drafts];
}
