/** `walt-server check`: asks the running server, and prints what it finds. */
import { answers, askServer, type Config, type Finding, platformPaths, UserError } from './platform/index.ts';

export interface CheckCommand {
  repair?: boolean;
  json?: boolean;
}

/** Exit status 1: something did not fit, mended or not. */
export async function checkState(
  config: Config,
  { repair, json }: CheckCommand,
  say: (text: string) => void,
): Promise<number> {
  const { rootSocket } = platformPaths(config);
  if (!(await answers({ path: rootSocket }))) {
    throw new UserError('UNAVAILABLE', 'The platform does not run.', 'Start it first: walt-server start');
  }
  if (!json) say('Looking at the database, images, volumes and /persist …');
  const found: Finding[] = [];
  for await (const value of askServer(rootSocket, repair ? 'repair' : 'check')) {
    const finding = value as Finding;
    found.push(finding);
    if (!json) say(`${finding.text}\n  → ${finding.done ?? finding.next}`);
  }
  if (json) console.log(JSON.stringify(found));
  else if (found.length === 0) say('All of it fits together.');
  return found.length > 0 ? 1 : 0;
}
