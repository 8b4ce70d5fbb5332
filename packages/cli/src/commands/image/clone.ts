import { connect } from '@walt/client/connection';
import type { Architecture } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { ARCHITECTURES } from '@walt/contract/values/kinds';
import { Command, Option } from 'commander';
import { offerReboot } from '../../nodes/reboot-offer.ts';
import { jsonOption } from '../../options.ts';
import { print, printJson } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';

interface Options {
  force?: true;
  arch?: Architecture;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<link>', 'walt:USER/NAME, REGISTRY:REPOSITORY[:TAG] or REGISTRY:REPOSITORY@sha256:…')
    .argument(
      '[name]',
      'its name in your own set (default: what its maker wished, else the last part of the link)',
    )
    .option('--force', 'replace your image of that name')
    .addOption(
      new Option(
        '--arch <architecture>',
        "which one, where there are several (default: the server's)",
      ).choices(ARCHITECTURES),
    )
    .addOption(jsonOption())
    .description(
      'Bring an image of another user or of a registry into your own set. `walt image search` finds links.\n' +
        'When it is interrupted, nothing has changed; the next attempt goes on with what had arrived.',
    )
    .action(async (link: string, name: string | undefined, { force, arch, json }: Options) => {
      const { client } = connect();
      const events = client.image.clone({
        ...{ link, force: force === true },
        ...(name !== undefined && { name }),
        ...(arch !== undefined && { architecture: arch }),
      });
      const result = await follow(events);
      if (json) return printJson(result);
      print(
        `${result.image} is a clone of ${link} now (${shortDigest(result.digest)}, ${result.architecture}).`,
      );
      if (result.source !== null) print(`This very image is ${result.source} for ever.`);
      await offerReboot(client, result.nodes);
    });
}
