/** The platform as a service of systemd: starts with the machine, and its supervisor is watched itself. Owns systemctl. */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  attempt,
  type Config,
  configFile,
  fileExists,
  projectFile,
  readIfPresent,
  run,
  UserError,
  writeFileAtomic,
} from './platform/index.ts';

const UNIT = 'walt-server.service';
/** The one that `walt-server enable` makes for a checkout, and the one of our Debian package; systemd takes the first that is there. */
const OWN_UNIT = `/etc/systemd/system/${UNIT}`;
const PACKAGED_UNIT = `/usr/lib/systemd/system/${UNIT}`;

/** sysexits.h, EX_CONFIG: a start that fails the same way until somebody acts. */
export const EXIT_NEEDS_HELP = 78;

/**
 * Content of the unit (systemd.service(5)) for the project in folder `root`. systemd starts `walt-server run` again when it ends with
 * anything but 0 (told to stop) or 78 (somebody must act first); the server itself is started again by its supervisor, which tells why
 * it ended. What is not here, and why, is in decision 0122.
 */
export function renderUnit(root: string, config: string | null): string {
  const words = [`${root}/walt-server`, ...(config === null ? [] : ['--config', config])];
  const command = words.map(quoted).join(' ');
  return `[Unit]
Description=WalT platform
Documentation=file://${root}/docs/service.md
After=network.target local-fs.target
StartLimitIntervalSec=0

[Service]
# Whoever starts it waits until it serves. A server that hangs is ended, and started again.
Type=notify
NotifyAccess=all
WatchdogSec=3min
# The first start of a new version may have much to copy.
TimeoutStartSec=15min
Environment=HOME=/root
ExecStart=${command} run
# Switches nodes off, unless it is for a restart.
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
TasksMax=infinity
# It makes mounts and namespaces that others see, and runs what users bring: of what systemd can take away, this is left.
CapabilityBoundingSet=~CAP_SYS_BOOT CAP_SYS_TIME CAP_WAKE_ALARM CAP_BLOCK_SUSPEND
RestrictRealtime=yes

[Install]
WantedBy=multi-user.target
`;
}

/** systemd.service(5), COMMAND LINES: quotes, and the two characters that it expands. */
function quoted(word: string): string {
  return `"${word.replace(/[\\"]/g, '\\$&').replace(/%/g, '%%').replace(/\$/g, '$$$$')}"`;
}

/** The default configuration is not named, so that it may come and go. */
function unitOf({ file }: Config): string {
  return renderUnit(projectFile('.'), file === null || file === configFile(null) ? null : resolve(file));
}

/** The file by which systemd runs this very platform. */
async function unitFile(config: Config): Promise<string | undefined> {
  if (!(await systemdRuns())) return undefined;
  for (const file of [OWN_UNIT, PACKAGED_UNIT]) {
    const unit = await readIfPresent(file);
    if (unit !== undefined) return commands(unit) === commands(unitOf(config)) ? file : undefined;
  }
  return undefined;
}

function commands(unit: string): string {
  return unit
    .split('\n')
    .filter((line) => line.startsWith('ExecStart='))
    .join();
}

/** Whether systemd runs this very platform. */
export async function isService(config: Config): Promise<boolean> {
  return (await unitFile(config)) !== undefined;
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
  const file = await unitFile(config);
  for (const other of [OWN_UNIT, PACKAGED_UNIT]) {
    if (file !== undefined || !(await fileExists(other))) continue;
    throw new UserError(
      'CONFLICT',
      `${other} is there already, for another platform.`,
      'Remove it first, with the walt-server of that platform: walt-server disable, or apt-get remove walt-server',
    );
  }
  if (file !== PACKAGED_UNIT) {
    await mkdir(dirname(OWN_UNIT), { recursive: true });
    await writeFileAtomic(OWN_UNIT, unitOf(config));
    await systemctl('daemon-reload');
  }
  await systemctl('enable', UNIT);
}

/** Safe to repeat. The platform goes on as it is. */
export async function disableService(config: Config): Promise<void> {
  const file = await unitFile(config);
  if (file === undefined) return;
  await systemctl('disable', UNIT);
  if (file === OWN_UNIT) await removeUnit();
}

/** Takes away what `enable` made of a checkout; what a package brought goes with the package. */
export async function forgetService(config: Config): Promise<void> {
  if ((await unitFile(config)) === OWN_UNIT) await disableService(config);
}

async function removeUnit(): Promise<void> {
  await rm(OWN_UNIT, { force: true });
  await systemctl('daemon-reload');
}

/** Whether systemd, which asks us to stop, will start the service again: list-jobs tells "restart" until the stop is done. */
export async function isRestarting(): Promise<boolean> {
  const { stdout } = await attempt(['systemctl', 'list-jobs', '--plain', '--no-legend', '--no-pager', UNIT]);
  return /^\s*\d+ +\S+ +restart /m.test(stdout);
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
