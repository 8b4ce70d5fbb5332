import { DEFAULT_SOCKET } from '@walt/client/paths';
import { placeName, usualPlace } from '@walt/client/place';
import { readServers, THIS_MACHINE } from '@walt/client/remote/servers';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';
import { type Column, renderTable } from '../../terminal/table.ts';

interface Row {
  name: string;
  /** A URL, or the path of a socket. */
  place: string;
  used: boolean;
}

const columns: Column<Row>[] = [
  { header: 'NAME', value: ({ name }) => name },
  { header: 'PLACE', value: ({ place }) => place },
  { header: 'USED', value: ({ used }) => (used ? 'yes' : '-') },
];

export function command(): Command {
  return new Command()
    .addOption(jsonOption())
    .description('List your servers, and which of them is meant where none is named.')
    .action(({ json }: { json?: true }) => {
      const meant = placeName(usualPlace());
      const named = [...readServers().known].map(([name, { url }]) => ({ name, place: url }));
      const rows = [...named, { name: THIS_MACHINE, place: DEFAULT_SOCKET }].map((row) => ({
        ...row,
        used: row.place === meant,
      }));
      if (json) return printJson(rows);
      print(renderTable(rows, columns, paintOutput()));
    });
}
