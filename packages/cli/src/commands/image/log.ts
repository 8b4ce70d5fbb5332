import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { renderLog } from '../../images/image-log.ts';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<image>', 'image, also one that was removed')
    .description(
      'List the versions of an image, newest first: when, by whom, by what, and how much came with it.\n' +
        'IMAGE@{2}, or IMAGE@ and a digest, names such a version for `walt image diff` and `walt image tag`.',
    )
    .addOption(jsonOption())
    .action(async (image: string, options: { json?: true }) => {
      const steps = await connect().client.image.log({ image });
      if (options.json) return printJson(steps);
      print(renderLog(steps, paintOutput()));
    });
}
