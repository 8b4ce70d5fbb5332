import { Command } from 'commander';
import { printLines } from '../../terminal/output.ts';
import { complete } from '../../words/completion.ts';

export function command(): Command {
  return new Command()
    .argument('[words...]', 'words of the command line after "walt", the last one to be completed')
    .description('Print candidates for the last word, one per line.')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (words: string[]) => {
      printLines(await complete(words[0] === '--' ? words.slice(1) : words));
    });
}
