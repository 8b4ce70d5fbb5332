import type { Socket } from 'node:net';
import { connect } from '@walt/client/connection';
import { Command } from 'commander';
import { describeFailure, INTERRUPTED, renderFailure } from '../../errors.ts';
import { joinToNode, listenLocally, readPorts } from '../../nodes/exposed-ports.ts';
import { jsonOption } from '../../options.ts';
import { reachNode } from '../../ssh/access.ts';
import { print, printJson } from '../../terminal/output.ts';

export function command(): Command {
  return new Command()
    .argument('<node>', 'name of the node')
    .argument(
      '<ports...>',
      'its port, then yours: 80 8080, or 80:8080; several pairs; 0 is any of yours that is free',
    )
    .addOption(jsonOption())
    .description(
      'Lead ports of this machine to ports of a node, until ctrl-c. Only programs of this machine can connect.\n' +
        'Waits for the node if it is booting.',
    )
    .action(async (name: string, words: string[], { json }: { json?: boolean }) => {
      const pairs = readPorts(words);
      const connection = connect();
      const { promise: reached, resolve } = Promise.withResolvers<string>();
      const tell = tellOnce();
      // Whoever connects early waits, too.
      const { ports, close } = await listenLocally(pairs, (socket: Socket, port) => {
        reached.then((node) => joinToNode(connection, socket, node, port)).catch(tell);
      });
      try {
        resolve((await reachNode(connection.client, name)).name);
      } catch (error) {
        close();
        throw error;
      }
      process.on('SIGINT', () => process.exit(INTERRUPTED));
      if (json)
        printJson(
          ports.map(({ node: nodePort, local: localPort, addresses }) => ({
            nodePort,
            localPort,
            addresses,
          })),
        );
      else
        for (const { node, local } of ports)
          print(`Port ${local} of this machine leads to port ${node} of ${name}.`);
    });
}

/** A browser tries again and again: the same reason is told once. */
function tellOnce(): (error: unknown) => void {
  let last = '';
  return (error) => {
    const text = renderFailure(describeFailure(error), false);
    if (text !== last) process.stderr.write(text);
    last = text;
  };
}
