import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { renderChanges, renderStat } from '../../images/image-diff.ts';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson, printRaw, remark } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';

interface Options {
  stat?: true;
  patch?: true;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('<version>', 'image or version: NAME, NAME@{2} (two steps back), NAME@sha256:…')
    .argument('[other-version]', 'what it became (default: VERSION itself, compared with the one before)')
    .argument('[paths...]', 'only these files and folders of the image; absolute')
    .option('--stat', 'with sizes, and numbers of lines of text files')
    .option('--patch', 'with the lines that differ in text files; so it is where paths are named')
    .addOption(jsonOption())
    .description('Tell which files were added (A), changed (M) or deleted (D) from one version to another.')
    .action(async (image: string, second: string | undefined, more: string[], options: Options) => {
      const isPath = second?.startsWith('/') === true;
      const paths = second !== undefined && isPath ? [second, ...more] : more;
      const patch = options.patch === true || (paths.length > 0 && !options.stat);
      const { client } = connect();
      const result = await follow(
        client.image.diff({
          ...{ image, paths, contents: patch || options.stat === true },
          ...(second !== undefined && !isPath && { other: second }),
        }),
      );
      if (options.json) return printJson(result);
      const { changes } = result;
      if (changes.length === 0) return remark('Nothing differs.');
      const shown = patch ? changes : changes.map((change) => ({ ...change, patch: null }));
      const paint = paintOutput();
      if (options.stat) print(renderStat(changes, paint));
      const raw = !process.stdout.isTTY;
      if (!options.stat || patch) (raw ? printRaw : print)(renderChanges(shown, { paint, raw }));
    });
}
