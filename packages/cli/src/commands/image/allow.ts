import { connect } from '@walt/client/connection';
import type { ImageVisibility } from '@walt/contract';
import { IMAGE_VISIBILITIES } from '@walt/contract/values/images';
import { Argument, Command } from 'commander';
import { type GroupOption, groupOption, guestText } from '../../nodes/guests.ts';
import { jsonOption } from '../../options.ts';
import { print, printJson } from '../../terminal/output.ts';
import { visibleName } from '../../terminal/visible.ts';

export function command(): Command {
  return new Command()
    .argument('<image>', 'name of the image')
    .addArgument(
      new Argument('<visibility>', 'for you alone, for those that you name, for everybody').choices(
        IMAGE_VISIBILITIES,
      ),
    )
    .argument('[users...]', 'logins of the server, of a shared image')
    .addOption(groupOption())
    .addOption(jsonOption())
    .description(
      'Say who else sees an image of yours and uses it. `shared` names all of them: who is not named does not see it any more.',
    )
    .action(
      async (
        image: string,
        visibility: ImageVisibility,
        users: string[],
        { group = [], json }: GroupOption & { json?: true },
      ) => {
        const told = await connect().client.image.allow({ image, visibility, users, groups: group });
        if (json) return printJson(told);
        const whom = {
          private: 'private now: nobody else sees it',
          shared: `shared with ${guestText(told)} now: nobody else sees it`,
          visible: 'visible now: everybody may see and copy it',
        };
        print(`${visibleName(told.image)} is ${whom[visibility]}.`);
      },
    );
}
