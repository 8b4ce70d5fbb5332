import { connect } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import type { FoundImage } from '@walt/contract';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson, remark } from '../../terminal/output.ts';
import { follow } from '../../terminal/progress.ts';
import { type Column, renderTable } from '../../terminal/table.ts';

const columns: Column<FoundImage>[] = [
  { header: 'LOCATION', value: ({ location }) => location },
  { header: 'LINK', value: ({ link }) => link },
  { header: 'ARCH', value: ({ architecture }) => architecture ?? '-' },
  { header: 'DESCRIPTION', value: ({ description }) => shortened(description) },
];

export function command(): Command {
  return new Command()
    .argument('[keyword]', 'part of the name; Docker Hub is searched only with one')
    .addOption(jsonOption())
    .description(
      'Find images of other users and of registries. `walt image clone LINK` brings one into your set.',
    )
    .action(async (keyword: string | undefined, { json }: { json?: true }) => {
      const events = connect().client.image.search({ ...(keyword !== undefined && { keyword }) });
      const { found, failed } = await follow(events);
      const [first] = failed;
      if (found.length === 0 && first) throw new AbortError('UNAVAILABLE', first.reason, first.hint);
      if (json) return printJson({ found, failed });
      if (found.length > 0) print(renderTable(found, columns, paintOutput()));
      else remark(keyword === undefined ? 'There is no image to clone.' : `No image is called "${keyword}".`);
      for (const { registry, reason } of failed) remark(`Without those of ${registry}: ${reason}`);
    });
}

/** One line of a table. */
function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
