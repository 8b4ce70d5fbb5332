import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { freePort } from '../../test/free-port.ts';
import { attempt, isUserError, run } from '../platform/index.ts';
import { type NodeIdentity, SshAuthority } from './ssh-authority.ts';

let folder: string;
let keys: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-ssh-'));
});
after(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  keys = join(await mkdtemp(join(folder, 'state-')), 'keys');
});

async function userKey(type = 'ed25519'): Promise<{ file: string; publicKey: string }> {
  const file = join(await mkdtemp(join(folder, 'user-')), 'id');
  await run(['ssh-keygen', '-q', '-t', type, '-N', '', '-f', file]);
  return { file, publicKey: await readFile(`${file}.pub`, 'utf8') };
}

/** What `ssh-keygen -L` tells of a certificate. */
async function inspect(certificate: string): Promise<string> {
  const file = join(await mkdtemp(join(folder, 'cert-')), 'cert.pub');
  await writeFile(file, certificate);
  return await run(['ssh-keygen', '-L', '-f', file]);
}

const ALICE = { keyId: 'alice', from: '127.0.0.0/8' };

describe('user certificates', () => {
  test('name the user and the nodes, and permit what a shell needs', async () => {
    const ssh = await SshAuthority.open({ keys });
    const { publicKey } = await userKey();
    const begun = Date.now() / 1000;
    const { certificate, expires } = await ssh.certifyUser(publicKey, ['walt-node-3', 'walt-node-4'], ALICE);
    assert.ok(!certificate.includes('\n'));
    const since = expires - 600;
    assert.ok(since > begun - 2 && since < Date.now() / 1000 + 2, String(since));
    const text = await inspect(certificate);
    assert.match(text, /user certificate/);
    assert.match(text, /Key ID: "alice"/);
    assert.match(text, /Critical Options: \n\s+source-address 127\.0\.0\.0\/8\n/);
    assert.match(text, /Principals: \n\s+walt-node-3\n\s+walt-node-4\n/);
    assert.deepEqual(
      [...text.matchAll(/^ +(permit-\S+)/gm)].map((match) => match[1]),
      ['permit-agent-forwarding', 'permit-port-forwarding', 'permit-pty'],
    );
    assert.deepEqual((await readdir(keys)).sort(), ['host_ca', 'nodes', 'user_ca'], 'no scratch is left');
  });

  test('ecdsa and rsa keys can be certified', async () => {
    const ssh = await SshAuthority.open({ keys });
    for (const type of ['ecdsa', 'rsa']) {
      const { publicKey } = await userKey(type);
      assert.match(
        (await ssh.certifyUser(publicKey, ['n'], ALICE)).certificate,
        /^\S+-cert-v01@openssh.com /,
      );
    }
  });

  test('a key that only ssh-keygen sees through is refused, too', async () => {
    const ssh = await SshAuthority.open({ keys });
    // Well packed, but an ed25519 key has 32 bytes.
    const blob = Buffer.concat([
      Buffer.from([0, 0, 0, 11]),
      Buffer.from('ssh-ed25519'),
      Buffer.from([0, 0, 0, 1, 9]),
    ]).toString('base64');
    await assert.rejects(
      ssh.certifyUser(`ssh-ed25519 ${blob}`, ['n'], ALICE),
      (error) => isUserError(error) && error.code === 'INVALID' && /refused to sign/.test(error.message),
    );
  });

  test('256 nodes fit into one, and OpenSSH reads it; more are refused', async () => {
    const ssh = await SshAuthority.open({ keys });
    const { publicKey } = await userKey();
    const principals = Array.from({ length: 256 }, (_, id) => `walt-node-${id}-${'f'.repeat(16)}`);
    const { certificate } = await ssh.certifyUser(publicKey, principals, ALICE);
    assert.match(await inspect(certificate), /walt-node-255-f+\n/);
    await assert.rejects(
      ssh.certifyUser(publicKey, [...principals, 'x'], ALICE),
      /at most 256 nodes, not 257/,
    );
  });
});

describe('node identities', () => {
  const node = { id: 7, owner: 'alice' };

  test('stay the same over restarts of the server', async () => {
    const first = await (await SshAuthority.open({ keys })).nodeIdentity(node);
    const again = await SshAuthority.open({ keys });
    assert.deepEqual(await again.nodeIdentity(node), first);
    assert.equal(await again.nodeAlias(node), first.principal);
    assert.match(first.principal, /^walt-node-7-[0-9a-f]{16}$/);
    const text = await inspect(first.hostCertificate);
    assert.match(text, /host certificate/);
    assert.match(text, /Valid: forever/);
    // Nothing but its own name: neither what users call a node, nor its address.
    assert.match(text, new RegExp(`Principals: \\n\\s+${first.principal}\\n\\s+Critical Options`));
  });

  test('are others for another owner, also when an owner comes back', async () => {
    const ssh = await SshAuthority.open({ keys });
    const seen: NodeIdentity[] = [];
    for (const owner of ['alice', 'bob', 'waltplatform', 'alice']) {
      // As a client does that waits for the first boot.
      const alias = await ssh.nodeAlias({ id: 7, owner });
      await ssh.beginBoot({ id: 7, owner });
      const identity = await ssh.nodeIdentity({ id: 7, owner });
      if (seen.length < 3) assert.equal(identity.principal, alias);
      assert.deepEqual(await readdir(join(keys, 'nodes', '7')), [`of-${owner}`], 'earlier keys are gone');
      seen.push(identity);
    }
    assert.equal(new Set(seen.map((one) => one.hostKey)).size, 4);
    assert.equal(new Set(seen.map((one) => one.principal)).size, 4);
  });

  test('of a boot that goes on stay, though the next owner’s are asked for', async () => {
    const ssh = await SshAuthority.open({ keys });
    const first = await ssh.nodeIdentity(node);
    assert.notEqual(await ssh.nodeAlias({ id: 7, owner: 'bob' }), first.principal);
    assert.deepEqual(await ssh.nodeIdentity(node), first);
  });

  test('are made once, whoever asks at the same time', async () => {
    const ssh = await SshAuthority.open({ keys });
    const all = await Promise.all(Array.from({ length: 8 }, () => ssh.nodeIdentity(node)));
    assert.equal(new Set(all.map((one) => one.hostKey)).size, 1);
  });

  test('are made anew when nobody would believe them, and nothing half-made is taken', async () => {
    const first = await (await SshAuthority.open({ keys })).nodeIdentity(node);
    await mkdir(join(keys, 'scratch-dead'));
    await rm(join(keys, 'host_ca'));
    const ssh = await SshAuthority.open({ keys });
    assert.notEqual((await ssh.nodeIdentity(node)).hostKey, first.hostKey);
    assert.ok(!(await readdir(keys)).includes('scratch-dead'));
  });

  test('of an older server serve the boot that has them, not the next one', async () => {
    const ssh = await SshAuthority.open({ keys });
    const { hostKey, hostCertificate } = await ssh.nodeIdentity(node);
    const flat = join(keys, 'nodes', '8');
    await mkdir(flat);
    await writeFile(join(flat, 'key'), hostKey);
    await writeFile(join(flat, 'key-cert.pub'), hostCertificate);
    const old = { id: 8, owner: 'alice' };
    assert.equal(await ssh.nodeAlias(old), 'walt-node-8');
    assert.deepEqual(await ssh.nodeIdentity(old), { ...(await ssh.nodeIdentity(old)), hostKey });
    await ssh.beginBoot(old);
    assert.match(await ssh.nodeAlias(old), /^walt-node-8-[0-9a-f]{16}$/);
    assert.notEqual((await ssh.nodeIdentity(old)).hostKey, hostKey);
  });

  test('of a removed node are gone', async () => {
    const ssh = await SshAuthority.open({ keys });
    await ssh.nodeIdentity(node);
    await ssh.removeNode(node.id);
    assert.deepEqual(await readdir(join(keys, 'nodes')), []);
  });
});

test('nobody but root reads the keys', async () => {
  const ssh = await SshAuthority.open({ keys });
  await ssh.nodeIdentity({ id: 1, owner: 'alice' });
  assert.equal((await stat(keys)).mode & 0o777, 0o700);
  for (const file of ['user_ca', 'host_ca', 'nodes/1/of-alice/key']) {
    assert.equal((await stat(join(keys, file))).mode & 0o777, 0o600, file);
  }
});

describe('OpenSSH on both sides', () => {
  let ssh: SshAuthority;
  let alias: string;
  let sshd: ChildProcess;
  let port: number;
  let user: { file: string; publicKey: string };
  let knownHosts: string;

  before(async () => {
    const own = await mkdtemp(join(folder, 'sshd-'));
    ssh = await SshAuthority.open({ keys: join(own, 'keys') });
    const identity = await ssh.nodeIdentity({ id: 42, owner: 'alice' });
    alias = identity.principal;
    const file = (name: string) => join(own, name);
    await writeFile(file('host_key'), identity.hostKey, { mode: 0o600 });
    await writeFile(file('host_key-cert.pub'), identity.hostCertificate);
    await writeFile(file('user_ca.pub'), identity.userCa);
    await writeFile(file('principals'), `${identity.principal}\n`);
    knownHosts = file('known_hosts');
    await writeFile(knownHosts, ssh.knownHosts());
    port = await freePort();
    await writeFile(
      file('sshd_config'),
      [
        `ListenAddress 127.0.0.1:${port}`,
        `HostKey ${file('host_key')}`,
        `HostCertificate ${file('host_key-cert.pub')}`,
        `TrustedUserCAKeys ${file('user_ca.pub')}`,
        `AuthorizedPrincipalsFile ${file('principals')}`,
        'AuthenticationMethods publickey',
        'AuthorizedKeysFile none',
        'PermitRootLogin prohibit-password',
        'PidFile none',
        'StrictModes no',
        'UsePAM no',
        ...(await nodesOwn(/^Max/)),
      ].join('\n'),
    );
    await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
    sshd = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', file('sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await listening(sshd);
    user = await userKey();
  });
  after(async () => {
    sshd.kill();
    await once(sshd, 'exit');
  });

  /** Runs `echo in` on the "node", with every check on. */
  async function login(principals: string[], hostKeyAlias = alias, from = ALICE.from) {
    const { certificate } = await ssh.certifyUser(user.publicKey, principals, { ...ALICE, from });
    await writeFile(`${user.file}-cert.pub`, `${certificate}\n`);
    const options = {
      StrictHostKeyChecking: 'yes',
      UserKnownHostsFile: knownHosts,
      GlobalKnownHostsFile: '/dev/null',
      HostKeyAlias: hostKeyAlias,
      IdentitiesOnly: 'yes',
      BatchMode: 'yes',
      ConnectTimeout: '10',
    };
    return await attempt([
      'ssh',
      ...['-F', '/dev/null', '-i', user.file, '-p', String(port)],
      ...Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
      ...['root@127.0.0.1', '--', 'echo', 'in'],
    ]);
  }

  test('a certificate for the node lets in, and its host key is believed without a question', async () => {
    const result = await login(['walt-node-41', alias]);
    assert.equal(result.stdout, 'in\n', result.stderr);
    assert.equal(result.status, 0);
  });

  test('one for another node, or for this one under another owner, does not', async () => {
    const next = await ssh.nodeAlias({ id: 42, owner: 'bob' });
    for (const principal of ['walt-node-41', 'walt-node-42', next]) {
      const result = await login([principal]);
      assert.equal(result.status, 255);
      assert.match(result.stderr, /Permission denied/);
    }
  });

  test('one that is for connections of another machine does not', async () => {
    const result = await login([alias], alias, '192.0.2.1');
    assert.equal(result.status, 255);
    assert.match(result.stderr, /Permission denied/);
  });

  test('comes through though more than a hundred others have not logged in yet', async () => {
    const waiting = await Promise.all(
      Array.from({ length: 120 }, async () => {
        const socket = connect(port, '127.0.0.1');
        await once(socket, 'data'); // sshd's greeting
        return socket;
      }),
    );
    const result = await login([alias]);
    for (const socket of waiting) socket.destroy();
    assert.equal(result.stdout, 'in\n', result.stderr);
  });

  test('a node cannot pass for another one, nor a former owner for the next one’s node', async () => {
    const next = await ssh.nodeAlias({ id: 42, owner: 'bob' });
    for (const expected of ['walt-node-43', 'walt-node-42', next]) {
      const result = await login([alias], expected);
      assert.equal(result.status, 255);
      assert.match(result.stderr, /Host key verification failed/);
    }
  });
});

/** Lines of the configuration that the platform gives to nodes. */
async function nodesOwn(which: RegExp): Promise<string[]> {
  const layer = join(import.meta.dirname, '../../../node/layer/etc/ssh/sshd_config.d/00-walt.conf');
  return (await readFile(layer, 'utf8')).split('\n').filter((line) => which.test(line));
}

/** Resolves when sshd says so; rejects with what it said when it ends instead. */
function listening(sshd: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    sshd.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('Server listening')) resolve();
    });
    sshd.once('exit', () => reject(new Error(said)));
  });
}
