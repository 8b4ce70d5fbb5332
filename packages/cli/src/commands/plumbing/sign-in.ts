import { connect } from '@walt/client/connection';
import { ownSocket } from '@walt/client/paths';
import { SIGN_IN_MARK } from '@walt/client/remote/ssh';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { printRaw } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .addOption(jsonOption())
    .description(
      "Print a token of this machine's server, and where it is (a walt elsewhere asks, over ssh; decision 0104).",
    )
    .action(async () => {
      const socket = ownSocket();
      const { credentials } = connect(socket);
      // A new one: who asks has none that is good.
      const token = await credentials.renew();
      printRaw(`${SIGN_IN_MARK}${JSON.stringify({ token, user: await credentials.user(), socket })}\n`);
    });
}
