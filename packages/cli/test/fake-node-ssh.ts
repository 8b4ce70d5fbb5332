/** Authorities, and an sshd configuration that trusts them, as the server and the platform layer make them for nodes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ALIAS = 'walt-node-7-0123456789abcdef';

export class FakeNodeSsh {
  readonly #folder: string;
  #ready = false;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get configFile(): string {
    this.#prepare();
    return join(this.#folder, 'sshd_config');
  }

  certify(publicKey: string, nodes: readonly string[]) {
    this.#prepare();
    const scratch = mkdtempSync(join(this.#folder, 'cert-'));
    writeFileSync(join(scratch, 'key.pub'), publicKey);
    this.#keygen(
      '-q',
      '-s',
      this.#file('user_ca'),
      '-I',
      'alice',
      '-n',
      ALIAS,
      '-V',
      '+10m',
      join(scratch, 'key.pub'),
    );
    return {
      certificate: keyOf(join(scratch, 'key-cert.pub')),
      expires: Math.floor(Date.now() / 1000) + 600,
      knownHosts: `@cert-authority walt-node-* ${keyOf(this.#file('host_ca.pub'))}\n`,
      hostKeyAliases: Object.fromEntries(nodes.map((node) => [node, ALIAS])),
    };
  }

  #prepare(): void {
    if (this.#ready) return;
    this.#ready = true;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    // sshd's privilege separation folder, which Debian's service makes at its start.
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    for (const name of ['user_ca', 'host_ca', 'host']) {
      this.#keygen('-q', '-t', 'ed25519', '-N', '', '-f', this.#file(name));
    }
    this.#keygen('-q', '-s', this.#file('host_ca'), '-I', 'node', '-h', '-n', ALIAS, this.#file('host.pub'));
    writeFileSync(this.#file('principals'), `${ALIAS}\n`);
    const lines = [
      `HostKey ${this.#file('host')}`,
      `HostCertificate ${this.#file('host-cert.pub')}`,
      `TrustedUserCAKeys ${this.#file('user_ca.pub')}`,
      `AuthorizedPrincipalsFile ${this.#file('principals')}`,
      'AuthorizedKeysFile none',
      'PermitRootLogin yes',
      'StrictModes no',
      'UsePAM no',
      'Subsystem sftp internal-sftp',
      // What this machine's root has in his .bashrc is not the tests' business.
      `SetEnv HOME=${this.#folder}`,
    ];
    writeFileSync(this.#file('sshd_config'), `${lines.join('\n')}\n`);
  }

  #file(name: string): string {
    return join(this.#folder, name);
  }

  #keygen(...args: string[]): void {
    execFileSync('ssh-keygen', args);
  }
}

/** Type and key of a public key file, without its comment. */
function keyOf(file: string): string {
  return readFileSync(file, 'utf8').trim().split(' ').slice(0, 2).join(' ');
}
