import { connect as connectSocket } from 'node:net';
import { localRoute } from '@walt/client/local';
import { ownSocket } from '@walt/client/paths';
import { DIAL_MARK } from '@walt/client/remote/ssh';
import { requireTrustedSocket } from '@walt/client/trust';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';

export function command(): Command {
  return new Command()
    .addOption(jsonOption())
    .description("Join standard input and output to the socket of this machine's server (decision 0104).")
    .action(async () => {
      const path = ownSocket();
      requireTrustedSocket(path);
      const { stdin, stdout } = process;
      const socket = connectSocket(path);
      // What comes meanwhile waits in the pipe.
      await new Promise<void>((resolve, reject) => {
        socket.once('error', (error) => reject(localRoute(path).failure(error)));
        socket.once('close', () => resolve());
        socket.once('connect', () => {
          stdout.write(DIAL_MARK);
          stdin.pipe(socket);
          socket.pipe(stdout);
        });
      });
      stdin.destroy();
    });
}
