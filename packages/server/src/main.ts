/** The server: serves until SIGTERM. Runs inside the platform's network namespace (see admin.ts). */
import { statfs } from 'node:fs/promises';
import {
  createLog,
  hasErrno,
  isExternalError,
  isUserError,
  loadConfig,
  ServiceNotices,
  UserError,
} from './platform/index.ts';
import { serve } from './serve.ts';

const log = createLog('server');
/** sysexits.h: EX_SOFTWARE. */
const EXIT_MISTAKE = 70;
/** sysexits.h: EX_CONFIG; a start that fails the same way until somebody acts. systemd does not repeat it (service-unit.ts). */
const EXIT_NEEDS_HELP = 78;

/** For what nobody expected: nothing is known of the state of this process any more. Whoever watches over it starts another one. */
function fail(error: unknown): void {
  log.error('a mistake ends the server', { error: stackOf(error) });
  process.exit(EXIT_MISTAKE);
}

/** Bytes with which no program can start. */
const NO_ROOM = 1024 * 1024;

/** Whether it failed because the disk is full: of outside programs, not all say so. */
async function isDiskFull(error: unknown, folder: string | undefined): Promise<boolean> {
  if (hasErrno(error, 'ENOSPC', 'EDQUOT')) return true;
  if (folder === undefined || !isExternalError(error)) return false;
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < NO_ROOM;
}

function diskFull(error: unknown): UserError {
  const message = `The server's disk is full: ${error instanceof Error ? error.message : error}`;
  return new UserError('UNAVAILABLE', message, 'Make room on it, then start again: walt-server start');
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// Rejections that nobody handles come here, too.
process.on('uncaughtException', fail);

const notices = new ServiceNotices(process.env, log);
let state: string | undefined;
try {
  const config = await loadConfig();
  state = config.state;
  const stop = await serve(config);
  notices.ready();
  const end = (signal: string) => {
    log.info('stopping', { signal });
    notices.close();
    // Whatever hangs, the end comes: nodes and programs live on anyway.
    setTimeout(() => process.exit(0), 4000).unref();
    stop().then(
      () => process.exit(0),
      (error) => {
        log.error('cannot stop cleanly', { error: String(error) });
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
} catch (error) {
  const told = (await isDiskFull(error, state)) ? diskFull(error) : error;
  if (!isUserError(told)) fail(error);
  else process.stderr.write(`walt-server: ${told.message}\n  → ${told.hint}\n`);
  process.exit(EXIT_NEEDS_HELP);
}
