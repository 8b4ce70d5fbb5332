/** The help texts above single commands. */
import type { Paint } from '../terminal/style.ts';
import { displayWidth } from '../terminal/style.ts';
import { type Category, categories, singles } from './categories.ts';

export function mainHelp(paint: Paint): string {
  const groups = Object.entries(categories).map(([name, { summary }]): [string, string] => [name, summary]);
  const others = Object.entries(singles).map(([name, { summary }]): [string, string] => [name, summary]);
  return (
    `${paint('Usage:', 'bold')} walt [--server NAME] CATEGORY COMMAND [OPTIONS] ARGUMENTS\n\n` +
    `${paint('Categories:', 'bold')}\n${list(groups, paint)}\n` +
    `${paint('Other commands:', 'bold')}\n${list(others, paint)}\n` +
    '`walt CATEGORY` lists its commands, `walt CATEGORY COMMAND --help` explains one.\n' +
    'New to WalT? `walt help show tutorial`.\n'
  );
}

export function categoryHelp(name: string, category: Category, paint: Paint): string {
  const commands = Object.entries(category.commands).map(([verb, { summary }]): [string, string] => [
    verb,
    summary,
  ]);
  return (
    `${paint('Usage:', 'bold')} walt ${name} COMMAND [OPTIONS] ARGUMENTS\n\n` +
    `walt ${name}: ${category.summary}.\n\n` +
    `${paint('Commands:', 'bold')}\n${list(commands, paint)}\n` +
    `\`walt ${name} COMMAND --help\` explains one.\n`
  );
}

function list(entries: readonly [string, string][], paint: Paint): string {
  const width = Math.max(...entries.map(([name]) => displayWidth(name)));
  return entries.map(([name, text]) => `  ${paint(name.padEnd(width), 'cyan')}  ${text}\n`).join('');
}
