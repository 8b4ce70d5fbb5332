import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { jsonOption } from '../../options.ts';
import { paintOutput, print, printJson } from '../../terminal/output.ts';
import { renderTable } from '../../terminal/table.ts';

export function command(): Command {
  return new Command()
    .description(
      'List all devices of the WalT network: nodes, the server, and others that asked for an address.',
    )
    .addOption(jsonOption())
    .action(async (options: { json?: true }) => {
      const devices = await connect().client.device.list();
      if (options.json) return printJson(devices);
      if (devices.length === 0) return print('No device is known yet.');
      const table = renderTable(
        devices,
        [
          { header: 'NAME', value: (device) => device.name },
          { header: 'ADDRESS', value: (device) => device.ip },
          { header: 'MAC', value: (device) => device.mac ?? '' },
          { header: 'TYPE', value: (device) => device.type },
        ],
        paintOutput(),
      );
      print(table);
    });
}
