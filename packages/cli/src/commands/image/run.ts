import { connect } from '@walt/client/connection';
import { shortDigest } from '@walt/contract/values/digests';
import { Command } from 'commander';
import { runInImage } from '../../images/image-run.ts';
import { remarkLost } from '../../images/lost-changes.ts';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { yesOption } from '../../options.ts';
import type { YesOption } from '../../terminal/confirm.ts';
import { remark } from '../../terminal/output.ts';
import { splitBehind } from '../../terminal/words-behind.ts';

interface Options extends YesOption {
  saveAs?: string;
}

export function command(): Command {
  return new Command()
    .argument('<image>', 'image to run it in')
    .argument('<command...>', 'one word is a line of shell; several are passed on as they are')
    .option('--save-as <name>', 'if the command succeeds, save what it changed under this name')
    .addOption(yesOption())
    .description(
      'Run a command in an image, without a terminal: the image shell for scripts. What is piped in reaches the\n' +
        'command; output and errors come out apart; the exit status is its own. Without --save-as nothing is kept.\n' +
        'ctrl-c, or a lost connection, ends the command. Options behind COMMAND are its own.',
    )
    .passThroughOptions()
    .action(async (image: string, behind: string[], _: Options, own: Command) => {
      const { options, command: words } = splitBehind<Options>(own, behind);
      const { saveAs, yes } = options;
      const [only, ...more] = words;
      const command = only !== undefined && more.length === 0 ? ['/bin/sh', '-c', only] : words;
      const connection = connect();
      const {
        status,
        saved,
        lost = [],
        note,
      } = await runInImage(connection, {
        ...{ image, command },
        ...(saveAs && { saveAs }),
        ...(yes && { yes }),
      });
      process.exitCode = status;
      if (note !== undefined) remark(note);
      if (!saved) return;
      remarkLost(lost);
      // Standard output is the command's own.
      remark(
        saved.changed
          ? `${saved.image} is saved (${shortDigest(saved.digest)}).`
          : `Nothing changed: ${saved.image} is what the command ran in (${shortDigest(saved.digest)}).`,
      );
      await offerReboot(connection.client, saved.nodes);
    });
}
