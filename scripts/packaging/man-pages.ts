/** Manual pages (man(7)) of what `--help` says: nothing is told twice. */
import { execFileSync } from 'node:child_process';
import packageFile from '../../package.json' with { type: 'json' };
import {
  type Category,
  type CommandEntry,
  categories,
  singles,
} from '../../packages/cli/src/words/categories.ts';

/** Characters: no line of a help is broken, since man(1) breaks them. */
const WIDTH = 10_000;

const MORE = `.SH SEE ALSO
.PP
The manual: \\fBwalt help list\\fR lists its topics, \\fBwalt help show\\fR \\fITOPIC\\fR opens one.
`;

/** Pages of section 1 by their names: walt(1), and one for each category. */
export async function clientPages(): Promise<[string, string][]> {
  const groups = Object.entries(categories).map(([name, { summary }]) => item(`walt-${name}(1)`, summary));
  const others = Object.entries(singles).map(([name, entry]) => commandSection(`walt ${name}`, entry));
  const main = [
    head('walt', 1, 'reach and steer a WalT platform for network experiments'),
    section('SYNOPSIS'),
    '.B walt\n[\\fB--server\\fR \\fINAME\\fR] \\fICATEGORY\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] \\fIARGUMENTS\\fR\n',
    section('CATEGORIES'),
    ...groups,
    section('OTHER COMMANDS'),
    ...(await Promise.all(others)),
    MORE,
  ];
  const pages = Object.entries(categories).map(([name, category]) => categoryPage(name, category));
  return [['walt.1', main.join('')], ...(await Promise.all(pages))];
}

async function categoryPage(name: string, { summary, commands }: Category): Promise<[string, string]> {
  const entries = Object.entries(commands);
  const sections = await Promise.all(
    entries.map(([verb, entry]) => commandSection(`walt ${name} ${verb}`, entry)),
  );
  const page = [head(`walt-${name}`, 1, summary), section('COMMANDS'), ...sections, MORE];
  return [`walt-${name}.1`, page.join('')];
}

async function commandSection(name: string, entry: CommandEntry): Promise<string> {
  const command = (await entry.load()).command();
  command
    .name(name)
    .helpOption(false)
    .configureOutput({ getOutHelpWidth: () => WIDTH });
  if (command.description() === '')
    command.description(`${entry.summary.replace(/^./, (first) => first.toUpperCase())}.`);
  return `.SS ${escaped(name)}\n${fromHelp(command.helpInformation())}`;
}

/** Page walt-server.8. `admin`: the bundle that tells its help. */
export function serverPage(admin: string): string {
  const help = (...words: string[]) =>
    execFileSync(process.execPath, [admin, ...words], { encoding: 'utf8' });
  const text = help('--help');
  const [options = '', list = ''] = text.split('\nCommands:\n');
  const verbs = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gm)].flatMap(([, verb = '']) =>
    verb === 'help' ? [] : [verb],
  );
  const sections = verbs.map((verb) => `.SS walt-server ${escaped(verb)}\n${fromHelp(help(verb, '--help'))}`);
  const summary = 'handle a WalT platform on this machine';
  return [
    head('walt-server', 8, summary),
    section('SYNOPSIS'),
    fromHelp(options),
    section('COMMANDS'),
    ...sections,
    MORE,
  ].join('');
}

/** commander's help: a line of usage, paragraphs, and lists in two columns below words with a colon. */
export function fromHelp(help: string): string {
  const parts: string[] = [];
  for (const line of help.split('\n')) {
    const [, usage] = /^Usage: (.*)$/.exec(line) ?? [];
    const [, term, about] = /^ {2}(\S.*?)(?: {2,}(\S.*))?$/.exec(line) ?? [];
    if (usage !== undefined) parts.push(`.PP\n.B ${escaped(usage)}\n`);
    else if (/^-h, --help /.test(line.trim())) continue;
    else if (/^[A-Z][a-z]+:$/.test(line)) parts.push(`.PP\n${escaped(line)}\n`);
    else if (/^ {3,}\S/.test(line)) parts.push(`${escaped(line.trim())}\n`);
    else if (term !== undefined) parts.push(item(term, about ?? ''));
    else if (line.trim() === '') parts.push('.PP\n');
    else parts.push(`${escaped(line)}\n`);
  }
  return parts.join('').replaceAll(/(?:\.PP\n)+/g, '.PP\n');
}

function head(name: string, number: number, summary: string): string {
  return `.TH ${name.toUpperCase()} ${number} "" "WalT ${packageFile.version}" "WalT"
.SH NAME
${escaped(name)} \\- ${escaped(summary)}
`;
}

function section(title: string): string {
  return `.SH ${title}\n`;
}

function item(term: string, about: string): string {
  return `.TP\n.B ${escaped(term)}\n${escaped(about)}\n`;
}

/** groff_char(7): a hyphen that can be copied; a line that begins like a request is none. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/, '\\&');
}
