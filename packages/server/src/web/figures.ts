import { readFile } from 'node:fs/promises';
import { type Node, nodeState, type ServerStatus } from '@walt/contract';
import type { Logs } from '../logs/index.ts';
import type { Metric, Sample } from './metrics.ts';

/** All that is counted. */
export interface Figures {
  nodes: readonly Pick<Node, 'state'>[];
  boots: { booted: number; failed: number; seconds: number };
  status: Pick<ServerStatus, 'version' | 'memory' | 'files' | 'uptime' | 'programs'>;
  /** Bytes on walt-net; undefined: there is none. */
  network: { sent: number; received: number } | undefined;
  /** Undefined: the program is away. */
  logs: Awaited<ReturnType<Logs['figures']>> | undefined;
  ownLines: Logs['own'];
}

/** Pure. */
export function metricsOf({ nodes, boots, status, network, logs, ownLines }: Figures): Metric[] {
  const states = nodeState.options.map((state): Sample => {
    const value = nodes.filter((node) => node.state === state).length;
    return { labels: { state }, value };
  });
  return [
    metric('gauge', 'walt_nodes', 'Nodes by their state.', ...states),
    metric(
      'summary',
      'walt_boot_seconds',
      'Boots that came up since the server started, and how long they took.',
      {
        suffix: '_sum',
        value: boots.seconds,
      },
      { suffix: '_count', value: boots.booted },
    ),
    one(
      'counter',
      'walt_boots_failed_total',
      'Boots that did not go on, since the server started.',
      boots.failed,
    ),
    ...(network
      ? [
          one(
            'counter',
            'walt_network_sent_bytes_total',
            'Bytes to machines on walt-net: files, volumes, all else.',
            network.sent,
          ),
          one(
            'counter',
            'walt_network_received_bytes_total',
            'Bytes from machines on walt-net.',
            network.received,
          ),
        ]
      : []),
    ...(logs
      ? [
          one(
            'counter',
            'walt_log_lines_total',
            'Lines that were stored since walt-logs started.',
            logs.lines,
          ),
          one('gauge', 'walt_log_waiting_bytes', 'Bytes of lines that wait to be stored.', logs.waiting),
          one(
            'gauge',
            'walt_log_database_up',
            'Whether the database of lines is there.',
            Number(logs.outage === null),
          ),
          one('gauge', 'walt_log_readers', 'Readers of lines.', logs.readers),
          one(
            'counter',
            'walt_syslog_dropped_total',
            'Messages of syslog that were dropped since walt-logs started.',
            logs.dropped,
          ),
          one('gauge', 'walt_logs_memory_bytes', 'Resident memory of walt-logs.', logs.memory),
        ]
      : []),
    one(
      'gauge',
      'walt_platform_lines_waiting',
      'Lines of the platform itself that wait for walt-logs.',
      ownLines.waiting,
    ),
    one(
      'counter',
      'walt_platform_lines_dropped_total',
      'Lines of the platform itself that were dropped since the server started.',
      ownLines.dropped,
    ),
    one('gauge', 'walt_server_memory_bytes', 'Resident memory of the server.', status.memory),
    one('gauge', 'walt_server_open_files', 'Open files of the server.', status.files.open),
    one('gauge', 'walt_server_uptime_seconds', 'Seconds since the server started.', status.uptime),
    metric('gauge', 'walt_server_info', 'Version of the server.', {
      labels: { version: status.version },
      value: 1,
    }),
    metric(
      'gauge',
      'walt_program_up',
      'Whether a program of the platform runs.',
      ...status.programs.map(({ name, state }) => ({
        labels: { program: name },
        value: Number(state === 'running'),
      })),
    ),
    metric(
      'counter',
      'walt_program_restarts_total',
      'How often a program had to be started again since the server started.',
      ...status.programs.map(({ name, restarts }) => ({ labels: { program: name }, value: restarts })),
    ),
  ];
}

function metric(type: Metric['type'], name: string, help: string, ...samples: Sample[]): Metric {
  return { name, help, type, samples };
}

function one(type: Metric['type'], name: string, help: string, value: number): Metric {
  return metric(type, name, help, { value });
}

/** What went over a link of this namespace (proc(5), /proc/net/dev): the server's view, so `sent` is what machines got. */
export async function trafficOf(link: string): Promise<Figures['network']> {
  const row = (await readFile('/proc/net/dev', 'latin1'))
    .split('\n')
    .map((line) => line.trim().split(/[\s:]+/))
    .find(([name]) => name === link);
  return row && { received: Number(row[1]), sent: Number(row[9]) };
}
