import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { wholeNumber } from '../../options.ts';
import { print } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<device>', 'name of the device')
    .option('-c, --count <number>', 'how many packets to send', wholeNumber(1), 4)
    .description('Check that a device answers: the server sends it ICMP echo requests.')
    .action(async (name: string, { count }: { count: number }) => {
      for await (const event of await connect().client.device.ping({ name, count })) {
        if (event.type === 'line') print(event.line);
        else process.exitCode = event.status;
      }
    });
}
