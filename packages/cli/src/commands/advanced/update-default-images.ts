import { connect } from '@walt/client/connection';
import type { Architecture } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { ARCHITECTURES } from '@walt/contract/values/kinds';
import { Command, Option } from 'commander';
import { jsonOption } from '../../options.ts';
import { print, printJson } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';

interface Options {
  arch?: Architecture;
  model?: string;
  ifMissing?: true;
  json?: true;
}

export function command(): Command {
  return new Command()
    .addOption(
      new Option('--arch <architecture>', "CPU of the image (default: the server's)").choices(ARCHITECTURES),
    )
    .option('--model <model>', 'of the CPU of such boards, as rpi-4-b, with the firmware that they load')
    .option('--if-missing', 'only when there is none yet')
    .addOption(jsonOption())
    .description('Make the default image anew from current Debian packages. Takes some minutes.')
    .action(async ({ arch, model, ifMissing, json }: Options) => {
      const events = connect().client.image.makeDefault({
        renew: ifMissing !== true,
        ...(arch !== undefined && { architecture: arch }),
        ...(model !== undefined && { model }),
      });
      const result = await follow(events);
      if (json) return printJson(result);
      print(
        `${result.image} ${result.made ? 'is made' : 'is there already'} (${shortDigest(result.digest)}).`,
      );
      print(`It is for ${result.models.join(', ')}.`);
      if (result.lack !== null) print(result.lack);
    });
}
