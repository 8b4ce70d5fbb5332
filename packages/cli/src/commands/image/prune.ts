import { connect } from '@walt/client/connection';
import type { CollectedVersion } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { Command } from 'commander';
import { jsonOption, yesOption } from '../../options.ts';
import { confirming, type YesOption } from '../../terminal/confirm.ts';
import { conjugate, humanDate, humanSize } from '../../terminal/human.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';
import { type Column, renderTable } from '../../terminal/table.ts';

const columns: readonly Column<CollectedVersion>[] = [
  { header: 'DIGEST', value: ({ digest }) => shortDigest(digest) },
  { header: 'WAS', value: ({ image }) => image ?? '?' },
  { header: 'UNTIL', value: ({ left }) => (left === null ? '?' : humanDate(left)) },
  { header: 'SIZE', value: ({ size }) => humanSize(size), align: 'right' },
];

interface Options extends YesOption {
  dryRun?: true;
  json?: true;
}

export function command(): Command {
  return new Command()
    .argument('[image]', 'free what its older versions take, or all that an image took which was removed')
    .option('--dry-run', 'only tell what would be removed')
    .addOption(yesOption())
    .description(
      'Remove older versions of images that the settings of the server do not keep. The server does so by itself\n' +
        'after each change. With IMAGE, also all older versions of that one, at once and for good: it cannot go back\n' +
        'any more, and one that was removed cannot be brought back. What a name points to, a node runs or a session\n' +
        'needs always stays.',
    )
    .addOption(jsonOption())
    .action(async (image: string | undefined, { dryRun, json, ...options }: Options) => {
      const { client } = connect();
      const wanted = { dryRun: dryRun === true, ...(image !== undefined && { image }) };
      const result = await confirming(options, (yes) => follow(client.image.prune({ ...wanted, yes })));
      if (json) return printJson(result);
      const { removed, size, keepVersions, keepDays } = result;
      if (removed.length > 0) print(renderTable(removed, columns, paintOutput()));
      const count = `${removed.length} ${conjugate(removed, 'version', 'versions')}`;
      const done = dryRun
        ? `${conjugate(removed, 'goes', 'go')}`
        : `${conjugate(removed, 'is', 'are')} removed`;
      print(
        removed.length === 0
          ? 'Nothing is to be removed.'
          : `${count} ${done}: ${humanSize(size)} on the server's disk.`,
      );
      print(`Kept of each image: ${keepVersions} older versions, and those of the last ${keepDays} days.`);
      if (image === undefined)
        print('`walt image prune IMAGE` frees what the older versions of one image take.');
    });
}
