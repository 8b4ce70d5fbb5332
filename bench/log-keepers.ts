/** What others keep of the same lines, for bench/logs.ts: rsyslog into PostgreSQL, and journald. Nothing of the machine is changed. */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, type NetConnectOpts } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { answers, run, streamProgram } from '../packages/server/src/platform/index.ts';
import { freePort } from '../packages/server/test/free-port.ts';
import type { TestPostgres } from '../packages/server/test/postgres.ts';

const RSYSLOG = ['rsyslog', 'rsyslog-pgsql', 'libfastjson4', 'libestr0', 'liblognorm5'];
const JOURNALD = '/lib/systemd/systemd-journald';

/** Brings `parts` to a socket by several connections. Resolves when all are on their way. */
async function bring(to: NetConnectOpts, connections: number, head: string, parts: readonly string[]) {
  await Promise.all(
    Array.from({ length: Math.min(connections, parts.length) }, async (_, connection) => {
      // journald closes its side at once.
      const socket = connect({ ...to, allowHalfOpen: true });
      await once(socket, 'connect');
      socket.resume().write(head);
      for (let at = connection; at < parts.length; at += connections)
        if (!socket.write(parts[at] ?? '')) await once(socket, 'drain');
      socket.end();
      await once(socket, 'finish');
    }),
  );
}

/** Debian's rsyslog, unpacked below `folder`: `bodies` are lines. Answers how many of them it stores in PostgreSQL a second. */
export async function rsyslogRate(
  postgres: TestPostgres,
  folder: string,
  bodies: readonly string[],
  connections: number,
) {
  await mkdir(folder);
  await run(['env', `--chdir=${folder}`, 'apt-get', 'download', '-q', ...RSYSLOG], { timeout: 120_000 });
  await run(['sh', '-c', 'cd "$1" && for deb in *.deb; do dpkg -x "$deb" .; done', 'sh', folder]);
  const to = { host: '127.0.0.1', port: await freePort() };
  const libraries = join(folder, 'usr/lib/x86_64-linux-gnu');
  const config = join(folder, 'rsyslog.conf');
  await writeFile(
    config,
    `global(workDirectory="${folder}")
module(load="imptcp")
module(load="ompgsql")
input(type="imptcp" address="${to.host}" port="${to.port}" socketBacklog="${connections}")
template(name="row" type="string" option.stdsql="on" string="insert into plain values ('%timereported:::date-rfc3339%', '%programname%', '%msg%')")
action(type="ompgsql" conninfo="${postgres.url}" template="row" action.resumeRetryCount="-1"
  queue.type="LinkedList" queue.size="100000" queue.dequeueBatchSize="5000")
`,
  );
  await postgres.ask('drop schema public cascade; create schema public');
  await postgres.ask('create table plain (time timestamptz, stream text, line text)');
  const argv = [
    join(folder, 'usr/sbin/rsyslogd'),
    '-n',
    '-f',
    config,
    '-i',
    join(folder, 'pid'),
    '-M',
    join(libraries, 'rsyslog'),
  ];
  const program = streamProgram(['env', `LD_LIBRARY_PATH=${libraries}`, ...argv], { accept: 'any' });
  program.stdout.resume();
  try {
    while (!(await answers(to))) await delay(20);
    const messages = bodies.map((body) =>
      body.replace(/^/gm, '<13>1 2026-11-30T00:00:00Z host ').replace(/<13>[^\n]*$/, ''),
    );
    const lines = messages.reduce((sum, text) => sum + text.split('\n').length - 1, 0);
    const began = performance.now();
    await bring(to, connections, '', messages);
    while (Number(await postgres.ask('select count(*) from plain')) < lines) await delay(100);
    return lines / ((performance.now() - began) / 1000);
  } finally {
    program.kill();
    await program.ended.catch(() => {});
  }
}

/** How many lines journald stores a second, in a folder of its own: they come by the socket that services print to. */
export async function journaldRate(
  folder: string,
  bodies: readonly string[],
  connections: number,
): Promise<number> {
  for (const name of ['run/systemd/journald.conf.d', 'run/systemd/journal', 'log/journal'])
    await mkdir(join(folder, name), { recursive: true });
  await writeFile(
    join(folder, 'run/systemd/journald.conf.d/bench.conf'),
    '[Journal]\nStorage=persistent\nRateLimitBurst=0\nReadKMsg=no\nAudit=no\nSystemMaxUse=4G\n',
  );
  // Without this file, it keeps lines in memory until the machine has started.
  await writeFile(join(folder, 'run/systemd/journal/flushed'), '');
  // Its folders are ours there; what it sees of the machine goes with it.
  const script = 'mount --bind "$1/run" /run && mount --bind "$1/log" /var/log && exec "$2"';
  const program = streamProgram(['unshare', '--mount', '--', 'sh', '-c', script, 'sh', folder, JOURNALD], {
    accept: 'any',
  });
  program.stdout.resume();
  try {
    const path = join(folder, 'run/systemd/journal/stdout');
    while (!(await answers({ path }))) await delay(20);
    const lines = bodies.reduce((sum, text) => sum + text.split('\n').length - 1, 0);
    const began = performance.now();
    // Identifier, unit, priority, and four switches (sd_journal_stream_fd(3)).
    await bring({ path }, connections, 'app\n\n6\n0\n0\n0\n0\n', bodies);
    const journal = [
      'journalctl',
      '--directory',
      join(folder, 'log/journal'),
      '--identifier=app',
      '--output=cat',
    ];
    for (;;) {
      const count = Number(await run(['sh', '-c', '"$@" | wc -l', 'sh', ...journal]));
      if (count >= lines) return lines / ((performance.now() - began) / 1000);
    }
  } finally {
    program.kill();
    await program.ended.catch(() => {});
  }
}
