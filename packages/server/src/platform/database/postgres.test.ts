import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { freePort } from '../../../test/free-port.ts';
import { TestPostgres } from '../../../test/postgres.ts';
import type { PostgresPlace } from '../postgres-config.ts';
import { run } from '../programs/index.ts';
import { openPostgres } from './postgres.ts';
import type { TableSet } from './tables.ts';

const tables: TableSet<{ note: { id: number; text: string } }> = {
  migrations: {
    '0001-notes': (db) =>
      db.schema.createTable('note').addColumn('id', 'bigint').addColumn('text', 'text').execute(),
  },
};

let folder: string;
let postgres: TestPostgres;
let port: number;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-pg-'));
  postgres = await TestPostgres.start();
  await makeCertificate();
  await postgres.end('SIGINT');
  port = await freePort();
  await postgres.start(
    [
      ...['listen_addresses=127.0.0.1', 'ssl=on'],
      ...[`ssl_cert_file=${join(folder, 'cert.pem')}`, `ssl_key_file=${join(folder, 'key.pem')}`],
    ],
    port,
  );
  await postgres.ask("create role walt login password 'a secret'");
  await postgres.ask('create database logs owner walt');
});
after(async () => {
  await postgres?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function makeCertificate(): Promise<void> {
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name)) as [string, string];
  const names = ['-subj', '/CN=db.example', '-addext', 'subjectAltName=IP:127.0.0.1'];
  await run([
    'openssl',
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    ...names,
  ]);
  const ids = (await run(['sh', '-c', 'id -u postgres; id -g postgres'])).trim().split('\n').map(Number);
  await chmod(folder, 0o755);
  await chown(key, ids[0] ?? 0, ids[1] ?? 0);
}

/** As over a network, with a password. */
function far(changes: Partial<PostgresPlace> = {}): PostgresPlace {
  return {
    host: '127.0.0.1',
    port,
    user: 'walt',
    database: 'logs',
    tls: 'disable',
    ca: undefined,
    ...changes,
  };
}

async function secret(text: string, mode: number): Promise<string> {
  const file = join(folder, `secret-${text.length}-${mode}`);
  await writeFile(file, text, { mode });
  return file;
}

/** Through a program, as from a namespace to the host's network. */
function relayed(host: string, to: number): Duplex {
  const { stdin, stdout } = spawn('socat', ['STDIO', `TCP:${host}:${to}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return Duplex.from({ readable: stdout, writable: stdin } as never);
}

test('a password in a closed file opens a database, by TCP, TLS and a relay too; what it keeps is there afterwards', async () => {
  const passwordFile = await secret('a secret\n', 0o600);
  const tls = { tls: 'verify-full', ca: join(folder, 'cert.pem') } as const;
  const ways = [
    { place: far() },
    { place: far({ tls: 'require' }) },
    { place: far(tls), reach: relayed },
    { place: far(), reach: relayed },
  ];
  for (const [id, way] of ways.entries()) {
    const { database, close } = await openPostgres({ ...way, passwordFile }, tables);
    await database.insertInto('note').values({ id, text: 'kept' }).execute();
    const rows = await database.selectFrom('note').selectAll().orderBy('id').execute();
    assert.deepEqual(
      rows.map((row) => row.id),
      Array.from({ length: id + 1 }, (_, at) => at),
    );
    await close();
  }
});

const refused: [
  what: string,
  changes: Partial<PostgresPlace>,
  password: [string, number],
  message: RegExp,
][] = [
  ['a file that others can read', {}, ['a secret', 0o640], /password file .* can be read by others/],
  ['a wrong password', {}, ['wrong', 0o600], /password authentication failed for user "walt"/],
  ['a database that is not there', { database: 'nowhere' }, ['a secret', 0o600], /"nowhere" does not exist/],
  ['a certificate of nobody', { tls: 'verify-full' }, ['a secret', 0o600], /self-signed certificate/],
];
for (const [what, changes, [text, mode], message] of refused) {
  test(`${what} is told`, async () => {
    const passwordFile = await secret(text, mode);
    const opened = openPostgres({ place: far(changes), passwordFile }, tables);
    await assert.rejects(opened, { code: 'UNAVAILABLE', message });
  });
}

test('where nobody listens, that is told', async () => {
  const place = far({ port: await freePort() });
  await assert.rejects(openPostgres({ place, passwordFile: undefined }, tables), {
    ...{
      code: 'UNAVAILABLE',
      message: /127\.0\.0\.1, port \d+, database logs cannot be used: connect ECONNREFUSED/,
    },
  });
});
