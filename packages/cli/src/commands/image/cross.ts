import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { UsageError } from '../../errors.ts';
import { crossBuild } from '../../images/cross/cross.ts';
import { yesOption } from '../../options.ts';
import type { YesOption } from '../../terminal/confirm.ts';
import { splitBehind } from '../../terminal/words-behind.ts';

interface Options extends YesOption {
  saveAs?: string;
  prefix: string;
  save: boolean;
}

export function command(): Command {
  return new Command()
    .argument('<image>', 'image to build for')
    .argument('<command...>', 'one word is a line of shell; several are passed on as they are')
    .option('--save-as <name>', 'save what was installed under this name (default: the same image)')
    .option('--no-save', 'build only, and throw away what was installed')
    .option('--prefix <folder>', 'folder of the image that takes what is installed', '/usr/local')
    .addOption(yesOption())
    .description(
      'Build the software in the current folder for the CPU of an image, at the speed of the server: COMMAND runs in a\n' +
        'container with compilers for that CPU, which see the libraries of the image. What it installs under the prefix\n' +
        'becomes part of the image, once it has ended with status 0. Example, in a folder of sources:\n\n' +
        "  walt image cross board -- './configure && make && make install'\n\n" +
        'Ends with the exit status of COMMAND. ctrl-c ends it, and the image stays as it was.',
    )
    .passThroughOptions()
    .action(async (image: string, behind: string[], _: Options, own: Command) => {
      const { options: given, command } = splitBehind<Options>(own, behind);
      const { saveAs, save, prefix, yes } = given;
      if (!save && saveAs !== undefined) {
        throw new UsageError('--save-as and --no-save contradict each other.', 'Take one of them.');
      }
      const options = { image, command, prefix, save, name: saveAs, ...(yes && { yes }) };
      process.exitCode = await crossBuild(connect(), options);
    });
}
