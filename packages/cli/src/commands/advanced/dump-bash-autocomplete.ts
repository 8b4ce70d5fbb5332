import { Command } from 'commander';
import { bashCompletion } from '../../completion-scripts.ts';
import { print } from '../../output.ts';

export function command(): Command {
  return new Command()
    .description(
      'Print the completion code for bash. In ~/.bashrc: source <(walt advanced dump-bash-autocomplete)',
    )
    .action(() => print(bashCompletion()));
}
