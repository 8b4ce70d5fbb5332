/** The platform as a service of systemd: starts with the machine, and its supervisor is watched itself. Owns systemctl. */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  type Config,
  fileExists,
  projectFile,
  readIfPresent,
  run,
  UserError,
  writeFileAtomic,
} from './platform/index.ts';

const UNIT = 'walt-server.service';
const UNIT_FILE = `/etc/systemd/system/${UNIT}`;

/**
 * Content of the unit (systemd.service(5)). systemd starts `walt-server run` again when it ends with anything but 0 (told to stop)
 * or 78 (somebody must act first); the server itself is started again by its supervisor, which tells why it ended.
 */
export function renderUnit(walt: string, config: string | null): string {
  const command = [walt, ...(config === null ? [] : ['--config', config])].map(quoted).join(' ');
  return `[Unit]
Description=WalT platform
Documentation=file://${projectFile('docs/intro.md')}
After=network.target local-fs.target
StartLimitIntervalSec=0

[Service]
Type=exec
Environment=HOME=/root
ExecStart=${command} run
ExecStop=${command} stop --service
Restart=always
RestartSec=500ms
RestartPreventExitStatus=0 ${EXIT_NEEDS_HELP}
# Virtual nodes, DHCP and NFS outlive the server: they are stopped by "stop" only.
KillMode=process
TimeoutStopSec=180
OOMPolicy=continue
LimitNOFILE=65536
LimitCORE=0

[Install]
WantedBy=multi-user.target
`;
}

/** sysexits.h, EX_CONFIG: a start that fails the same way until somebody acts. */
export const EXIT_NEEDS_HELP = 78;

/** systemd.service(5), COMMAND LINES: quotes, and the two characters that it expands. */
function quoted(word: string): string {
  return `"${word.replace(/[\\"]/g, '\\$&').replace(/%/g, '%%').replace(/\$/g, '$$$$')}"`;
}

function unitOf(config: Config): string {
  return renderUnit(projectFile('walt-server'), config.file === null ? null : resolve(config.file));
}

/** Whether systemd runs this very platform. */
export async function isService(config: Config): Promise<boolean> {
  if (!(await systemdRuns())) return false;
  const commands = (unit = '') => unit.split('\n').filter((line) => line.startsWith('ExecStart='));
  return commands(await readIfPresent(UNIT_FILE)).join() === commands(unitOf(config)).join();
}

/** Makes the platform start with the machine. Throws UserError UNAVAILABLE where systemd does not run, CONFLICT when it has another platform. */
export async function enableService(config: Config): Promise<void> {
  if (!(await systemdRuns())) {
    throw new UserError(
      'UNAVAILABLE',
      'This machine is not run by systemd.',
      'Let whatever starts its services run: walt-server start',
    );
  }
  if ((await fileExists(UNIT_FILE)) && !(await isService(config))) {
    throw new UserError(
      'CONFLICT',
      `${UNIT_FILE} is there already, for another platform.`,
      'Remove it first, with the walt-server of that platform: walt-server service disable',
    );
  }
  await mkdir(dirname(UNIT_FILE), { recursive: true });
  await writeFileAtomic(UNIT_FILE, unitOf(config));
  await systemctl('daemon-reload');
  await systemctl('enable', UNIT);
}

/** Safe to repeat. The platform goes on as it is. */
export async function disableService(config: Config): Promise<void> {
  if (!(await isService(config))) return;
  await systemctl('disable', UNIT);
  await rm(UNIT_FILE, { force: true });
  await systemctl('daemon-reload');
}

export async function systemctl(...words: string[]): Promise<void> {
  await run(['systemctl', ...words]);
}

export const startService = () => systemctl('start', '--no-block', UNIT);
export const stopService = () => systemctl('stop', UNIT);

/** sd_booted(3). */
function systemdRuns(): Promise<boolean> {
  return fileExists('/run/systemd/system');
}
