/**
 * How fast lines of logs are kept and searched, by the real program: 50 connections that bring lines of some 100 bytes, each batch on
 * disk before it is acknowledged; against such batches appended to a file and synced, a COPY of them into a table of PostgreSQL, and
 * rsyslog (into PostgreSQL) and journald, which acknowledge nothing. Then a word that is nowhere, one line of a stream, and how late
 * lines are that somebody follows. usage: logs.ts [--runs N] [--lines N] [--json]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { answers, projectFile } from '../packages/server/src/platform/index.ts';
import { TestPostgres } from '../packages/server/test/postgres.ts';
import { journaldRate, rsyslogRate } from './log-keepers.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const { runs, json, own } = benchOptions(3, ['lines']);
const total = Number(own.lines ?? 2_000_000);

const CONNECTIONS = 50;
/** Lines of a batch: some 240 KB. */
const BATCH = 2000;
/** Batches that the others get at most: so many lines take them a minute. */
const COMPARED = { fast: 1000, slow: 100 };
const PORT = 12_347;

function compared(speed: keyof typeof COMPARED): number {
  return Math.min(Math.ceil(total / BATCH), COMPARED[speed]);
}

/** Lines as servers write them: words that come again, numbers that do not. */
function batchOf(connection: number, batch: number): Buffer {
  const lines: string[] = [];
  for (let at = 0; at < BATCH; at += 1) {
    const number = (connection * 7919 + batch * 104_729 + at * 31) >>> 0;
    const time = (1_790_000_000 + batch + at / BATCH).toFixed(6);
    const address = `192.168.${number % 250}.${(number >> 8) % 250}`;
    lines.push(
      `@${time} app sshd[${number % 32_768}]: Failed password for invalid user admin${number % 97} from ${address} port ${1024 + (number % 60_000)} ssh2\n`,
    );
  }
  return Buffer.from(lines.join(''));
}

interface Run {
  rate: number;
  plain: number;
  memory: number;
  perLine: number;
  search: number;
  first: number;
  /** Milliseconds, of which one line of a hundred takes more. */
  late: number;
}

/** With SQLite; with PostgreSQL where there is one, in an empty database, as Debian has it: a commit is on disk. */
async function measure(folder: string, postgres?: TestPostgres): Promise<Run> {
  await mkdir(folder);
  const config = join(folder, 'server.conf');
  const logs = postgres ? { database: postgres.url } : {};
  await postgres?.ask('drop schema public cascade; create schema public');
  await writeFile(
    config,
    JSON.stringify({ state: join(folder, 'state'), runtime: join(folder, 'run'), logs }),
  );
  await Promise.all([mkdir(join(folder, 'state')), mkdir(join(folder, 'run'))]);
  const file = projectFile('dist/server/logs.js');
  const nodes = ['127.0.0.1', '127.255.255.254'];
  const program = spawn(process.execPath, [file, '127.0.0.1', ...nodes, '127.255.255.254', 'bench'], {
    env: { ...process.env, WALT_CONFIG: config },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    const socket = join(folder, 'run', 'logs.sock');
    while (!(await answers({ path: socket }))) await delay(20);
    const batches = Math.ceil(total / BATCH / CONNECTIONS);
    const bodies = Array.from({ length: 8 }, (_, at) => batchOf(at, at));
    const raw = bodies.reduce((sum, { length }) => sum + length, 0) / bodies.length / BATCH;
    const began = performance.now();
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async (_, connection) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        for (let batch = 0; batch < batches; batch += 1) {
          await post(
            agent,
            connection,
            `b.${batch}`,
            bodies[(connection + batch) % bodies.length] ?? Buffer.alloc(0),
          );
        }
        agent.destroy();
      }),
    );
    const stored = batches * CONNECTIONS * BATCH;
    const rate = stored / ((performance.now() - began) / 1000);
    const memory = await residentOf(program.pid ?? 0);
    const plain = await plainRate(join(folder, 'plain'), bodies, compared('fast'));
    const size = postgres
      ? Number(
          await postgres.ask(
            "select sum(pg_total_relation_size(oid)) from pg_class where relkind = 'r' and relname like 'log%'",
          ),
        )
      : (await stat(join(folder, 'state', 'logs.db'))).size;
    const issuers = Object.fromEntries(
      Array.from({ length: CONNECTIONS }, (_, at) => [`127.0.0.${at + 1}`, `n${at}`]),
    );
    const query = { issuers, from: 0, to: Number.MAX_SAFE_INTEGER, follow: false };
    const search = stored / (await ask(socket, { ...query, lines: 'nowhere to be found' })).seconds;
    const one = { ...query, issuers: { '127.0.0.1': 'n0' }, lines: 'admin1 ' };
    return {
      rate,
      plain,
      memory,
      perLine: size / stored / raw,
      search,
      first: (await ask(socket, one)).first,
      late: await lateness(socket, query),
    };
  } finally {
    program.kill('SIGTERM');
    await once(program, 'exit');
    await rm(folder, { recursive: true });
  }
}

function post(agent: Agent, connection: number, spool: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({
      ...{ agent, host: '127.0.0.1', port: PORT, localAddress: `127.0.0.${connection + 1}`, method: 'POST' },
      path: `/node/log?spool=${spool}&from=0`,
      headers: { 'content-length': body.length, 'x-walt-clock': (Date.now() / 1000).toFixed(6) },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      response.resume();
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
      else response.on('end', resolve);
    });
    sent.end(body);
  });
}

/** Seconds until the first line and the end of what a query tells. */
async function ask(socketPath: string, query: object): Promise<{ seconds: number; first: number }> {
  const began = performance.now();
  const sent = request({ socketPath, path: '/query', method: 'POST' });
  sent.end(JSON.stringify(query));
  const [response] = await once(sent, 'response');
  let first: number | undefined;
  for await (const _ of response) first ??= (performance.now() - began) / 1000;
  return { seconds: (performance.now() - began) / 1000, first: first ?? 0 };
}

/** Lines a second that are followed, for so many seconds, from so many nodes. */
const FOLLOWED = { rate: 10_000, seconds: 5, nodes: 10 };
/** Milliseconds between two batches of a node. */
const PACE = 100;

/** Milliseconds from a line to whoever follows: what 99 of 100 lines take at most. */
async function lateness(socketPath: string, query: object): Promise<number> {
  const { rate, seconds, nodes } = FOLLOWED;
  const sent = request({ socketPath, path: '/query', method: 'POST' });
  sent.end(JSON.stringify({ ...query, streams: '^followed$', follow: true }));
  const [response] = await once(sent, 'response');
  const late: number[] = [];
  const total = rate * seconds;
  const read = async () => {
    let rest = '';
    for await (const part of response) {
      const now = Date.now();
      const lines = (rest + part).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('L ')) late.push(now - Number(line.split(' ')[2]) / 1000);
      if (late.length >= total) return;
    }
  };
  const reading = read();
  const each = (rate / nodes / 1000) * PACE;
  await Promise.all(
    Array.from({ length: nodes }, async (_, connection) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const began = performance.now() + (connection * PACE) / nodes;
      for (let batch = 0; batch < (seconds * 1000) / PACE; batch += 1) {
        await delay(Math.max(0, began + batch * PACE - performance.now()));
        const line = `@${(Date.now() / 1000).toFixed(6)} followed a line that somebody follows, as long as lines of logs are: ${batch}\n`;
        await post(agent, connection, `f.${batch}`, Buffer.from(line.repeat(each)));
      }
      agent.destroy();
    }),
  );
  await reading;
  sent.destroy();
  return late.sort((a, b) => a - b)[Math.floor(late.length * 0.99)] ?? Number.NaN;
}

/** Lines a second of one COPY of the same batches into a table of PostgreSQL. */
async function copyRate(postgres: TestPostgres, path: string): Promise<number> {
  const bodies = Array.from({ length: 8 }, (_, at) => batchOf(at, at).toString());
  // As COPY wants columns: time, stream, text.
  const rows = bodies.map((body) => body.replace(/^@(\S+) (\S+) /gm, '$1\t$2\t'));
  const batches = compared('fast');
  const file = await open(path, 'w', 0o644);
  for (let batch = 0; batch < batches; batch += 1) await file.write(rows[batch % rows.length] ?? '');
  await file.close();
  await postgres.ask('drop schema public cascade; create schema public');
  await postgres.ask('create table plain (time numeric, stream text, line text)');
  const began = performance.now();
  await postgres.ask(`copy plain from '${path}'`);
  const seconds = (performance.now() - began) / 1000;
  await rm(path);
  return (batches * BATCH) / seconds;
}

/** Lines a second, of the same batches in a file, each synced. */
async function plainRate(path: string, bodies: readonly Buffer[], batches: number): Promise<number> {
  const file = await open(path, 'w');
  const began = performance.now();
  for (let batch = 0; batch < batches; batch += 1) {
    await file.write(bodies[batch % bodies.length] ?? Buffer.alloc(0));
    await file.datasync();
  }
  const seconds = (performance.now() - began) / 1000;
  await file.close();
  return (batches * BATCH) / seconds;
}

/** MB. */
async function residentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

const folder = await mkdtemp(join(tmpdir(), 'walt-bench-logs-'));
// PostgreSQL, another user, reads a file of it.
await chmod(folder, 0o755);
const copied: number[] = [];
const others: Record<'rsyslog' | 'journald', number[]> = { rsyslog: [], journald: [] };
const some = Array.from({ length: compared('slow') }, (_, at) => batchOf(at, at).toString());
/** As RFC 5424 has them from the program's name on, and their text alone. */
const messages = some.map((body) => body.replace(/^@\S+ app sshd\[(\d+)\]:/gm, 'sshd $1 - -'));
const texts = some.map((body) => body.replace(/^@\S+ app /gm, ''));
const all: Record<'SQLite' | 'PostgreSQL', Run[]> = { SQLite: [], PostgreSQL: [] };
{
  await using postgres = await TestPostgres.start();
  await postgres.end('SIGINT');
  await postgres.start(['fsync=on', 'shared_buffers=128MB', 'max_wal_size=4GB']);
  for (let run = 0; run < runs; run += 1) {
    progress(`run ${run + 1} of ${runs}: SQLite`);
    all.SQLite.push(await measure(join(folder, `${run}-sqlite`)));
    progress(`run ${run + 1} of ${runs}: PostgreSQL`);
    all.PostgreSQL.push(await measure(join(folder, `${run}-postgresql`), postgres));
    progress(`run ${run + 1} of ${runs}: COPY`);
    copied.push(await copyRate(postgres, join(folder, 'copy')));
    progress(`run ${run + 1} of ${runs}: rsyslog and journald`);
    others.rsyslog.push(await rsyslogRate(postgres, join(folder, `${run}-rsyslog`), messages, CONNECTIONS));
    others.journald.push(await journaldRate(join(folder, `${run}-journald`), texts, CONNECTIONS));
  }
}
await rm(folder, { recursive: true });

const engines = Object.entries(all).map(([engine, some]) => ({
  engine,
  of: (key: keyof Run) => summarize(some.map((run) => run[key])),
}));
conclude(
  {
    bench: 'logs',
    measures: [
      { what: 'PostgreSQL: such lines by one COPY', unit: '/s', ...summarize(copied) },
      { what: 'rsyslog, into PostgreSQL: lines kept', unit: '/s', ...summarize(others.rsyslog) },
      { what: 'journald: lines kept', unit: '/s', ...summarize(others.journald) },
      ...engines.flatMap(({ engine, of }) => [
        { what: `${engine}: lines kept`, unit: '/s', ...of('rate') },
        { what: `${engine}: such lines appended to a file and synced`, unit: '/s', ...of('plain') },
        { what: `${engine}: memory of walt-logs at most`, unit: 'MB', ...of('memory') },
        { what: `${engine}: disk / raw`, unit: '', ...of('perLine') },
        { what: `${engine}: lines searched for what is nowhere`, unit: '/s', ...of('search') },
        { what: `${engine}: first line of one node`, unit: 's', ...of('first') },
        { what: `${engine}: a line to who follows, p99`, unit: 'ms', ...of('late') },
      ]),
    ],
    bounds: engines.flatMap(({ engine, of }) => [
      { claim: `${engine}: lines kept per second`, value: of('rate').median, limit: 150_000, atLeast: true },
      { claim: `${engine}: memory, MB`, value: of('memory').median, limit: 300 },
      { claim: `${engine}: disk / raw`, value: of('perLine').median, limit: 0.25 },
      {
        claim: `${engine}: lines searched per second`,
        value: of('search').median,
        limit: 5_000_000,
        atLeast: true,
      },
      { claim: `${engine}: first line of one node, s`, value: of('first').median, limit: 0.5 },
      { claim: `${engine}: a line to who follows, p99, ms`, value: of('late').median, limit: 100 },
    ]),
  },
  json,
);
