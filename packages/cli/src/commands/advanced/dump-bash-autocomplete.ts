import { Command } from 'commander';
import { print } from '../../terminal/output.ts';
import { bashCompletion } from '../../words/completion-scripts.ts';

export function command(): Command {
  return new Command()
    .description(
      'Print the completion code for bash. In ~/.bashrc: source <(walt advanced dump-bash-autocomplete)',
    )
    .action(() => print(bashCompletion()));
}
