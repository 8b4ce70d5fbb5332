import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { print, printJson } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';

interface Options extends YesOption {
  registry?: string;
  name?: string;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<image>', 'image to publish')
    .option(
      '--registry <label>',
      'where to (default: the only registry, or the only one that you are logged in to)',
    )
    .option('--name <name>', 'its name there, as REPOSITORY[:TAG] (default: your name, a slash, its name)')
    .addOption(yesOption())
    .addOption(jsonOption())
    .description('Copy an image to a registry, for other platforms to clone.')
    .action(async (image: string, { registry, name, json, ...options }: Options) => {
      const { client } = connect();
      const result = await confirming(options, (yes) =>
        follow(
          client.image.publish({
            ...{ image, yes },
            ...(registry !== undefined && { registry }),
            ...(name !== undefined && { name }),
          }),
        ),
      );
      if (json) return printJson(result);
      print(
        `${image} is published: \`walt image clone ${result.link}\` brings it to any platform that knows that registry.`,
      );
      print(`This very image is ${result.source} for ever.`);
    });
}
