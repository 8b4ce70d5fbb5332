import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { renderDiskUsage } from '../../space/disk-usage.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .description("Show what takes the server's disk: by user, image and node.")
    .addOption(jsonOption())
    .action(async ({ json }: { json?: true }) => {
      const usage = await connect().client.server.diskUsage();
      if (json) return printJson(usage);
      print(renderDiskUsage(usage, paintOutput()));
    });
}
