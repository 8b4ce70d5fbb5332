/** `walt image run [OPTIONS] IMAGE [OPTIONS] [--] COMMAND…`: which words are ours, and which the command's. */
import { Command, type OptionValues } from 'commander';

/**
 * Splits what stands behind IMAGE: options of `own` up to the first word that is none or to `--`, then a command, whose options are
 * its own. Throws commander's errors. `own` must pass options through.
 */
export function splitBehind<Options extends OptionValues>(
  own: Command,
  words: readonly string[],
): { options: Options; command: string[] } {
  const behind = new Command()
    .argument('<command...>')
    .passThroughOptions()
    .exitOverride()
    .configureOutput({ writeErr: () => {}, outputError: () => {} })
    .action(() => {});
  behind.helpInformation = () => own.helpInformation();
  for (const option of own.options) behind.addOption(option);
  behind.parse(words, { from: 'user' });
  const given = Object.entries(behind.opts()).filter(
    ([name]) => behind.getOptionValueSource(name) !== 'default',
  );
  return { options: { ...own.opts<Options>(), ...Object.fromEntries(given) }, command: behind.args };
}
