import { Command } from 'commander';
import { zshCompletion } from '../../completion-scripts.ts';
import { print } from '../../output.ts';

export function command(): Command {
  return new Command()
    .description(
      'Print the completion code for zsh. In ~/.zshrc, after compinit: source <(walt advanced dump-zsh-autocomplete)',
    )
    .action(() => print(zshCompletion()));
}
