import { namedPlace, placeName } from '@walt/client/place';
import { checkServerName, readServers, THIS_MACHINE, writeServers } from '@walt/client/remote/servers';
import { Command } from 'commander';
import { print, remark } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<server>', `a name of \`walt server list\`; ${THIS_MACHINE}: that of this machine`)
    .description('Choose the server that is meant from now on, where none is named.')
    .action((name: string) => {
      const place = namedPlace(checkServerName(name));
      writeServers({ ...readServers(), used: name === THIS_MACHINE ? undefined : name });
      print(`${name} (${placeName(place)}) is used from now on.`);
      const stronger = (['WALT_SERVER', 'WALT_SOCKET'] as const).find((variable) => process.env[variable]);
      if (stronger) remark(`${stronger} is set here, and goes before it.`);
    });
}
