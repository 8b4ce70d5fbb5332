/** `walt advanced server-status`. */
import type { ServerStatus } from '@walt/contract';
import { humanDate, humanDuration, humanSize } from './terminal/human.ts';
import type { Paint } from './terminal/style.ts';
import { renderTable } from './terminal/table.ts';
import { visibleName } from './terminal/visible.ts';

const STATE_COLOURS = { running: 'green', starting: 'yellow', stopped: 'dim', failed: 'red' } as const;

const ROLE_WORDS = { viewer: 'a viewer', member: 'a member', administrator: 'an administrator' } as const;

export function renderStatus(status: ServerStatus, paint: Paint): string {
  const facts: [string, string][] = [
    ['Version', status.version],
    ['Runs since', humanDuration(status.uptime)],
    ['Memory', humanSize(status.memory)],
    ['Open files', `${status.files.open} of ${status.files.limit}`],
    ['Crashes', crashes(status, paint)],
    ...(status.supervised ? [] : [unwatched(paint)]),
    ...(status.logsOutage === null ? [] : [outage(status.logsOutage, paint)]),
    ['Configuration', status.configFile ?? 'all default'],
    ['State folder', status.stateFolder],
    ['Network', `${status.network.subnet} in namespace ${status.namespace}, server ${status.network.server}`],
    ['Virtual nodes', status.accelerator === 'kvm' ? 'KVM' : 'emulated (KVM does not work here)'],
    ...(status.unguarded === null ? [] : [unguarded(status.unguarded, paint)]),
    ['You are', status.role ? `${status.user}, ${ROLE_WORDS[status.role]}` : status.user],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  const lines = facts.map(([name, value]) => `${paint(name.padEnd(width), 'bold')}  ${value}\n`).join('');
  const programs = renderTable(
    status.programs,
    [
      { header: 'PROGRAM', value: (program) => program.name },
      { header: 'STATE', value: (program) => paint(program.state, STATE_COLOURS[program.state]) },
      { header: 'PID', value: (program) => String(program.pid ?? ''), align: 'right' },
      { header: 'RESTARTS', value: (program) => String(program.restarts), align: 'right' },
    ],
    paint,
  );
  return [lines, ...segments(status, paint), programs].join('\n');
}

const LINK_COLOURS = { joined: 'green', 'no-link': 'yellow', missing: 'red', refused: 'red' } as const;

/** What is known of the real segments behind the server's adapters; nothing where there are none. */
function segments({ adapters, dhcpServers }: ServerStatus, paint: Paint): string[] {
  if (adapters.length === 0) return [];
  const table = renderTable(
    adapters,
    [
      { header: 'ADAPTER', value: ({ name }) => name },
      { header: 'STATE', value: ({ state }) => paint(state.replace('-', ' '), LINK_COLOURS[state]) },
      { header: 'SINCE', value: ({ since }) => humanDate(since) },
      { header: 'WHY', value: ({ reason }) => reason ?? '' },
    ],
    paint,
  );
  const servers = dhcpServers.map(({ address, link, accepted }) => {
    const where = link === null ? 'on walt-net' : `behind ${visibleName(link)}`;
    const text = `Another DHCP server answers ${where}: ${address}`;
    return accepted
      ? `${text} (accepted)`
      : paint(`${text}. Switch it off: machines boot by chance.`, 'yellow');
  });
  return [[table.trimEnd(), ...servers, ''].join('\n')];
}

function crashes({ crashes: { count, last } }: ServerStatus, paint: Paint): string {
  if (!last) return 'none in 24 hours';
  return paint(`${count} in 24 hours, last ${humanDate(last.at)}: ${visibleName(last.reason)}`, 'yellow');
}

function unguarded(reason: string, paint: Paint): [string, string] {
  return [
    'Frames',
    paint(`virtual nodes can send them in the name of others (${visibleName(reason)})`, 'yellow'),
  ];
}

function outage({ since, reason }: NonNullable<ServerStatus['logsOutage']>, paint: Paint): [string, string] {
  const when = since === null ? '' : ` since ${humanDate(since)}`;
  return ['Logs', paint(`no line is stored${when}: ${visibleName(reason)}`, 'red')];
}

function unwatched(paint: Paint): [string, string] {
  return [
    'Supervisor',
    paint('none: nothing starts the server again; mend with: walt-server restart', 'red'),
  ];
}
