import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { renderDetails } from '../../images/image-details.ts';
import { renderImages } from '../../images/image-table.ts';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson, printLines } from '../../terminal/output.ts';

interface Options {
  all?: true;
  namesOnly?: true;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('[image]', 'tell all about this one: layers, sizes, nodes that run it')
    .option('--all', 'also the images of other users and the default images')
    .option('--names-only', 'one name per line, nothing else')
    .addOption(jsonOption())
    .action(async (image: string | undefined, options: Options) => {
      const { client, credentials } = connect();
      if (image !== undefined) {
        if (options.all || options.namesOnly) {
          throw new UsageError('--all and --names-only are for the list.', 'Name an image, or use them.');
        }
        const [one, details] = await Promise.all([
          client.image.get({ image }),
          client.image.details({ image }),
        ]);
        if (options.json) return printJson({ ...one, ...details });
        return print(renderDetails(one, details, paintOutput()));
      }
      const images = await client.image.list({ all: options.all === true });
      if (options.json) return printJson(images);
      const user = await credentials.user();
      if (options.namesOnly) {
        return printLines(images.map((image) => (image.owner === user ? image.name : image.fullName)));
      }
      print(renderImages(images, { user, all: options.all === true, paint: paintOutput() }));
    });
}
