import { connect } from '@walt/client/connection';
import { shortDigest } from '@walt/contract/values/digests';
import { parseImageLocation } from '@walt/contract/values/images';
import { Command, Option } from 'commander';
import { UsageError } from '../../errors.ts';
import { copyFromImage } from '../../images/copy/from-image.ts';
import { copyToImage } from '../../images/copy/to-image.ts';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { print } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<source>', 'file or folder: PATH here, or IMAGE:/PATH')
    .argument('<destination>', 'PATH here, or IMAGE:/PATH; an existing folder takes the copy into it')
    .addOption(new Option('-r, --recursive', 'always on').hideHelp())
    .description(
      'Copy a file, or a folder with all that it contains, into an image or out of one.\n' +
        'FOLDER/. stands for what the folder contains. Copying into an image makes a new version of it.\n' +
        "Files keep their owners' numbers; into an image, those that belong to you belong to root, unless -a is given.",
    )
    .option('-a, --archive', 'into an image, also files that belong to you keep their owner')
    .action(async (from: string, to: string, options: { archive?: true }) => {
      const [source, destination] = [parseImageLocation(from), parseImageLocation(to)];
      if ((source.remote === undefined) === (destination.remote === undefined)) {
        throw new UsageError('Exactly one side must be in an image.', 'Write IMAGE:/PATH for that side.');
      }
      const connection = connect();
      if (source.remote !== undefined) {
        return copyFromImage(connection, { image: source.remote, path: source.path }, destination.path);
      }
      if (destination.remote === undefined) return;
      const place = { image: destination.remote, path: destination.path };
      const written = await copyToImage(connection, source.path, place, {
        archive: options.archive === true,
      });
      print(`${written.image} is saved (${shortDigest(written.digest)}).`);
      await offerReboot(connection.client, written.nodes);
    });
}
