/** `walt-server`: handles the platform on this machine. Runs on the host's side, as root; the server runs in the namespace. */
import { Command, Option } from 'commander';
import { requireRoot, say } from './admin-terminal.ts';
import {
  type BackupCommand,
  backupInto,
  isCopyName,
  type RestoreCommand,
  restoreFrom,
} from './backup-commands.ts';
import { writeUsbImage } from './boot/index.ts';
import { type CheckCommand, checkState } from './check-command.ts';
import { hostCommand } from './host-commands.ts';
import { answers, isWatched } from './launcher.ts';
import { cleanup, disable, enable, restart, runHere, start, stop } from './life-commands.ts';
import { bringLines } from './logs/index.ts';
import { journal, status } from './look-commands.ts';
import {
  type Config,
  configFile,
  isUserError,
  loadConfig,
  platformPaths,
  UserError,
} from './platform/index.ts';
import { restoreCopy } from './restore.ts';
import { EXIT_NEEDS_HELP } from './service-unit.ts';
import { setupCommand } from './setup.ts';

async function backup(config: Config, options: BackupCommand, folder = ''): Promise<number> {
  requireRoot();
  return backupInto(config, options, folder, say);
}

async function check(config: Config, options: CheckCommand): Promise<number> {
  requireRoot();
  return checkState(config, options, say);
}

async function restore(config: Config, options: RestoreCommand, from?: string): Promise<void> {
  requireRoot();
  await (from === undefined || isCopyName(from)
    ? restoreCopy(config, options, from, say)
    : restoreFrom(config, options, from, say));
}

async function migrateLogs(config: Config): Promise<void> {
  requireRoot();
  if ((await answers(config)) || (await isWatched(config))) {
    throw new UserError('CONFLICT', 'The platform runs, and lines come.', 'Stop it first: walt-server stop');
  }
  await bringLines(config, platformPaths(config), say);
}

async function usbImage(config: Config, _options: object, file = ''): Promise<void> {
  await writeUsbImage(file, platformPaths(config));
  say(`${file} is written: an image for a USB stick, from which PCs boot that cannot boot from the network.`);
  say(`Write it onto a stick, whose content is lost: dd if=FILE of=/dev/DEVICE bs=1M conv=fsync`);
}

/** Words that no command understands are told as all that fails is, with exit status 2. */
function tellWrongUse(command: Command, name: string): void {
  command.configureOutput({ outputError: () => {} }).exitOverride(({ code, message, exitCode }) => {
    if (exitCode === 0) process.exit(0);
    // Otherwise the help is printed.
    if (code !== 'commander.help') {
      const [first = '', ...rest] = message.replace(/^error: /, '').split('\n');
      const text = [`${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`, ...rest].join(
        ' ',
      );
      process.stderr.write(`walt-server: ${text}\n  → \`${name} --help\` tells how it is used.\n`);
    }
    process.exit(2);
  });
  for (const each of command.commands) tellWrongUse(each, `${name} ${each.name()}`);
}

const program = new Command('walt-server')
  .description('Handles the WalT platform on this machine.')
  .option('--config <file>', 'configuration (default: $WALT_CONFIG, else /etc/walt/server.conf)');

function command<Options>(
  name: string,
  text: string,
  act: (config: Config, options: Options, argument?: string) => Promise<number> | Promise<void>,
  hidden = false,
): Command {
  return program
    .command(name, { hidden })
    .description(text)
    .action(async (...words: unknown[]) => {
      const { config } = program.opts<{ config?: string }>();
      // commander: arguments, options, the command itself.
      const [options, argument] = words.slice(0, -1).reverse() as [Options, string?];
      process.exitCode = (await act(await loadConfig(config), options, argument)) ?? 0;
    });
}

program.addCommand(
  setupCommand(say, () => {
    requireRoot();
    return configFile(program.opts<{ config?: string }>().config);
  }),
);
command('start', 'start the platform', start);
command('stop', 'stop it: nodes are switched off, nothing stored is lost', stop).addOption(
  new Option('--service', 'called by systemd').hideHelp(),
);
command('restart', 'restart the server process; nodes go on undisturbed', restart);
command('status', 'show what runs; exit status 3 if nothing does', status).option('--json', 'as data');
command('journal', 'show what the server wrote about its work', journal)
  .option('-f, --follow', 'go on as it writes')
  .option('-n, --lines <number>', 'how many lines', '100');
command('backup', 'copy the platform into a folder, while it runs: only what is not there yet', backup)
  .argument('<folder>', 'on another disk, best')
  .option('--keep <number>', 'remove older backups, all but so many')
  .option(
    '--verify',
    'write nothing: compare what is there with its digests; exit status 1 if something is torn',
  )
  .option('--json', 'as data');
command(
  'check',
  'look whether database, images, volumes and /persist fit together; exit status 1: not all did',
  check,
)
  .option('--repair', 'make again what can be made again, and remove what nobody knows')
  .option('--json', 'as data');
command('restore', 'bring a backup back, or put a copy of the database in its place', restore)
  .argument(
    '[from]',
    'folder of backups, for a machine without a platform; or a copy of the database (default: the newest sound one)',
  )
  .option('--from <backup>', 'name of the backup; default: the newest')
  .option('--list', 'show the backups, or copies, that there are')
  .option('--json', 'as data');
program.addCommand(
  hostCommand(say, () => {
    requireRoot();
    return loadConfig(program.opts<{ config?: string }>().config);
  }),
);
command('migrate-logs', 'move lines of logs to the database that server.conf names', migrateLogs);
command('enable', 'make the platform a service of systemd, which starts with this machine', enable);
command('disable', 'undo that', disable);
command('run', 'become the process that keeps the server running (for systemd)', runHere, true);
command(
  'usb-image',
  'make an image for a USB stick, for PCs that cannot boot from the network',
  usbImage,
).argument('<file>', 'where it is written; must not exist yet');
command('cleanup', 'stop, and undo all changes to this machine outside the state folder', cleanup).option(
  '--delete-data',
  'delete the state folder too: images, nodes, /persist',
);

tellWrongUse(program, 'walt-server');

// Whoever read what we print went away, as head(1) does.
process.stdout.on('error', () => process.exit(0));

try {
  await program.parseAsync();
} catch (error) {
  const hint = isUserError(error) ? error.hint : 'The journal tells more: walt-server journal';
  process.stderr.write(`walt-server: ${error instanceof Error ? error.message : error}\n  → ${hint}\n`);
  // systemd would repeat it.
  process.exitCode = isUserError(error) && program.args[0] === 'run' ? EXIT_NEEDS_HELP : 1;
}
