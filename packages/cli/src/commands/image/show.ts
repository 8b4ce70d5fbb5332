import { Command } from 'commander';
import { connect } from '../../client.ts';
import { renderImages } from '../../image-table.ts';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson, printLines } from '../../output.ts';

interface Options {
  all?: true;
  namesOnly?: true;
  json?: true;
}

export function command(): Command {
  return new Command()
    .option('--all', 'also the images of other users and the default images')
    .option('--names-only', 'one name per line, nothing else')
    .addOption(jsonOption())
    .action(async (options: Options) => {
      const { client, credentials } = connect();
      const images = await client.image.list({ all: options.all === true });
      if (options.json) return printJson(images);
      const user = await credentials.user();
      if (options.namesOnly) {
        return printLines(images.map((image) => (image.owner === user ? image.name : image.fullName)));
      }
      print(renderImages(images, { user, all: options.all === true, paint: paintOutput() }));
    });
}
