import type { CollectedVersion } from '@walt/contract';
import { Command } from 'commander';
import { connect } from '../../client.ts';
import { conjugate, humanDate, humanSize, shortDigest } from '../../human.ts';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson } from '../../output.ts';
import { follow } from '../../progress.ts';
import { type Column, renderTable } from '../../table.ts';

const columns: readonly Column<CollectedVersion>[] = [
  { header: 'DIGEST', value: ({ digest }) => shortDigest(digest) },
  { header: 'WAS', value: ({ image }) => image ?? '?' },
  { header: 'UNTIL', value: ({ left }) => (left === null ? '?' : humanDate(left)) },
  { header: 'SIZE', value: ({ size }) => humanSize(size), align: 'right' },
];

export function command(): Command {
  return new Command()
    .option('--dry-run', 'only tell what would be removed')
    .description(
      'Remove older versions of images that the settings of the server do not keep. The server does so by itself\n' +
        'after each change. What a node runs or a session needs always stays.',
    )
    .addOption(jsonOption())
    .action(async ({ dryRun, json }: { dryRun?: true; json?: true }) => {
      const result = await follow(connect().client.image.prune({ dryRun: dryRun === true }));
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
    });
}
