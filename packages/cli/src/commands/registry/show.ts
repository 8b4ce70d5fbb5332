import { connect } from '@walt/client/connection';
import type { Registry } from '@walt/contract';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson, remark } from '../../terminal/output.ts';
import { type Column, renderTable } from '../../terminal/table.ts';

const columns: Column<Registry>[] = [
  { header: 'LABEL', value: ({ label }) => label },
  { header: 'HOST', value: ({ host, protocol }) => (protocol === 'http' ? `${host} (http)` : host) },
  { header: 'LOGIN', value: ({ username }) => username ?? '-' },
  { header: 'DESCRIPTION', value: ({ description }) => description },
];

export function command(): Command {
  return new Command()
    .addOption(jsonOption())
    .description('List the registries that images come from and go to, and your logins to them.')
    .action(async ({ json }: { json?: true }) => {
      const registries = await connect().client.registry.list();
      if (json) return printJson(registries);
      if (registries.length === 0) {
        return remark('This platform knows no registry: `walt help show registries` tells how to add one.');
      }
      print(renderTable(registries, columns, paintOutput()));
    });
}
