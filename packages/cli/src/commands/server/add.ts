import { AbortError } from '@walt/client/errors';
import { hasServerHere } from '@walt/client/place';
import { checkServerName, readServers, THIS_MACHINE, writeServers } from '@walt/client/remote/servers';
import { parseSshUrl } from '@walt/client/remote/url';
import { Command } from 'commander';
import { print } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<name>', 'what you will call it')
    .argument('<url>', 'ssh://[USER@]HOST[:PORT]; HOST may be one of your ~/.ssh/config')
    .description(
      'Give a server elsewhere a name. The first one of a machine without a server is used from then on; others,\nwhen you say so: `walt server use NAME`, or `walt --server NAME …` for one command.',
    )
    .action((name: string, url: string) => {
      const { known, used } = readServers();
      const place = parseSshUrl(url);
      if (checkServerName(name) === THIS_MACHINE) {
        throw new AbortError(
          'CONFLICT',
          `"${THIS_MACHINE}" is the server of this machine.`,
          'Choose another name.',
        );
      }
      const before = known.get(name);
      if (before !== undefined && before.url !== place.url) {
        throw new AbortError(
          'CONFLICT',
          `There is a server named "${name}" already: ${before.url}.`,
          `Choose another name, or forget that one: \`walt server remove ${name}\`.`,
        );
      }
      const first = known.size === 0 && !hasServerHere();
      writeServers({ known: new Map([...known, [name, place]]), used: first ? name : used });
      print(`${name} is ${place.url}${first ? ', and used from now on' : ''}.`);
    });
}
