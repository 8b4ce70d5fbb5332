import { Command } from 'commander';
import { print } from '../../terminal/output.ts';
import { zshCompletion } from '../../words/completion-scripts.ts';

export function command(): Command {
  return new Command()
    .description(
      'Print the completion code for zsh. In ~/.zshrc, after compinit: source <(walt advanced dump-zsh-autocomplete)',
    )
    .action(() => print(zshCompletion()));
}
