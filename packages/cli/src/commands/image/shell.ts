import { connect } from '@walt/client/connection';
import { Command, Option } from 'commander';
import { yesOption } from '../../options.ts';
import type { YesOption } from '../../terminal/confirm.ts';

interface Options extends YesOption {
  resume?: true;
  /** Name to save under; true for the image's own. */
  save?: string | true;
  discard?: true;
}

export function command(): Command {
  return new Command()
    .argument('<image>', 'image to change')
    .option('--resume', 'go on with the session that waits on this image')
    .option('--save [name]', 'save without asking, under this name (default: the same image)')
    .addOption(new Option('--discard', 'throw the changes away without asking').conflicts('save'))
    .addOption(yesOption())
    .description(
      'Change an image in a shell: what you do there is saved when you leave it, as a new version of the image.\n' +
        'The shell runs in a container on the server. Nodes get the new version at their next boot.\n\n' +
        'A session that was interrupted waits: --save or --discard alone then decide what becomes of it.',
    )
    .action(async (image: string, { resume, save, discard, yes }: Options) => {
      const connection = connect();
      const opening = resume ? undefined : connection.client.image.shell.open({ image });
      // One turn of the event loop sends it: the server opens the session while the rest of this program is loaded.
      opening?.catch(() => {});
      await new Promise(setImmediate);
      const { shellOnImage } = await import('../../images/shell/shell.ts');
      await shellOnImage(connection, image, {
        opening,
        decision: discard ? { what: 'discard' } : save ? { what: 'save', name: save } : undefined,
        ...(yes && { yes }),
      });
    });
}
