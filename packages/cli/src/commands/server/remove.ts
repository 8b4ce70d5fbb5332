import { AbortError } from '@walt/client/errors';
import { namedPlace } from '@walt/client/place';
import { checkServerName, readServers, writeServers } from '@walt/client/remote/servers';
import { closeWay } from '@walt/client/remote/tunnel';
import { Command } from 'commander';
import { print } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<server>', 'a name of `walt server list`')
    .description('Forget a server. A connection to it that is open is closed; nothing on it is changed.')
    .action(async (name: string) => {
      const place = namedPlace(checkServerName(name));
      if (!('ssh' in place)) {
        throw new AbortError(
          'INVALID',
          `"${name}" is the server of this machine, which needs no name.`,
          '`walt server list` lists those that can be forgotten.',
        );
      }
      const { known, used } = readServers();
      await closeWay(place.ssh);
      writeServers({
        known: new Map([...known].filter(([other]) => other !== name)),
        used: used === name ? undefined : used,
      });
      print(`${name} is forgotten.`);
    });
}
