import { connect } from '@walt/client/connection';
import { AbortError } from '@walt/client/errors';
import { Argument, Command } from 'commander';
import { BLINK, BLINK_PROGRAM, LEDS, NOTHING } from '../../nodes/blink.ts';
import { duration } from '../../options.ts';
import { reachNode } from '../../ssh/access.ts';
import { overallStatus, runOnNodes } from '../../ssh/run.ts';
import { humanDuration } from '../../terminal/human.ts';
import { print, remark } from '../../terminal/output.ts';
import { visibleName } from '../../terminal/visible.ts';

/** Seconds. */
const USUAL = 60;

export function command(): Command {
  return new Command()
    .argument('<node>', 'name of a node')
    .addArgument(
      new Argument('[seconds]', 'for how long, as 90, 5m or 1h').argParser(duration).default(USUAL),
    )
    .description(
      `Make a node blink, so that you find it. Its image's ${BLINK_PROGRAM} is called with 1, then with 0; without one, a\n` +
        'light of the board blinks and is given back as it was. ctrl-c ends it.',
    )
    .action(async (name: string, seconds: number) => {
      const connection = connect();
      const { name: node, type } = await reachNode(connection.client, name);
      let way: string | undefined;
      const line = (_node: string, stream: 'stdout' | 'stderr', text: string) => {
        if (stream === 'stderr') return remark(text);
        if (way !== undefined) return;
        way = text;
        if (way !== NOTHING)
          print(`${node} blinks (${visibleName(way)}) for ${humanDuration(seconds)}; ctrl-c ends it.`);
      };
      const words = ['sh', '-c', BLINK, 'walt-blink', String(seconds), BLINK_PROGRAM, LEDS];
      const runs = await runOnNodes(connection, [node], { words, parallel: 1, sinks: { line } });
      if (way === NOTHING) {
        throw new AbortError(
          'UNAVAILABLE',
          `${node} has nothing to blink with: no ${BLINK_PROGRAM} in its image, and no light${type === 'virtual' ? ', for it is a virtual node' : ''}.`,
          `Put a program ${BLINK_PROGRAM} into its image that takes 1 and 0.`,
        );
      }
      process.exitCode = overallStatus(runs);
      if (process.exitCode === 0) print(`${node} has stopped blinking.`);
    });
}
