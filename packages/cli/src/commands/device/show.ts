import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { renderDevices } from '../../devices/device-table.ts';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .description(
      'List all devices of the WalT network: nodes, the server, and others that asked for an address.',
    )
    .addOption(jsonOption())
    .action(async (options: { json?: true }) => {
      const devices = await connect().client.device.list();
      if (options.json) return printJson(devices);
      print(renderDevices(devices, paintOutput()));
    });
}
