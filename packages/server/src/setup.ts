/** `walt-server setup`: asks a newcomer what the configuration must say of his network, and writes it. */
import { mkdir, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { type Document, parseDocument, YAMLMap } from 'yaml';
import { type HostLink, isNamed, look, parseSubnet, reasonAgainst, whyAbsent } from './network/index.ts';
import {
  hasErrno,
  isUserError,
  problemOfAdapter,
  readConfig,
  readIfPresent,
  UserError,
  writeFileAtomic,
} from './platform/index.ts';

interface SetupOptions {
  /** Names of adapters and VLANs; empty: walt-net has virtual nodes only. */
  interface?: string[];
  subnet?: string;
  /** Writes without asking. */
  yes?: boolean;
}

/** `fileOf`: where it is to be written; throws when the caller may not. */
export function setupCommand(say: (text: string) => void, fileOf: () => string): Command {
  const collect = (word: string, before: string[] = []) => [...before, word];
  return new Command('setup')
    .description('ask which adapters lead to nodes, and write the configuration')
    .option('--interface <name>', 'adapter, or VLAN as enp3s0.169; again for more; "" for none', collect)
    .option('--subnet <subnet>', 'of walt-net, as 10.73.0.0/16')
    .option('--yes', 'write without asking')
    .action((options: SetupOptions) => setUp(fileOf(), options, say));
}

const OTHER_ADAPTERS = 'Name adapters that this machine has, as `ip link` shows them, or VLANs on them.';

interface Answers {
  interfaces: readonly string[];
  subnet: string;
}

/** Asks for what the options leave open, if somebody is there to ask; shows the file, and writes it when it is wanted. */
async function setUp(file: string, options: SetupOptions, say: (text: string) => void): Promise<void> {
  const asks = process.stdin.isTTY && !options.yes;
  if (!asks && !options.interface && options.subnet === undefined) {
    throw new UserError(
      'INVALID',
      'There is no terminal to ask at, and no option says what to write.',
      'Say which adapter leads to the nodes: walt-server setup --interface enp3s0 --yes',
    );
  }
  const before = (await readIfPresent(file)) ?? '';
  const old = readConfig(before, file).network;
  const { host } = await look(undefined, undefined);
  const check = (answers: Answers) => checked(before, file, answers, host);
  const defaults = { interfaces: old.interfaces.map(({ name }) => name), subnet: old.subnet };
  const given = { ...defaults, ...(options.subnet === undefined ? {} : { subnet: options.subnet }) };
  if (options.interface) given.interfaces = options.interface.filter((name) => name !== '');
  const text = asks ? await ask(options, given, host, check, say) : await check(given);
  say(`\n${file}:\n\n${text.replace(/^/gm, '  ').trimEnd()}\n`);
  if (text === before) return say('It says so already: nothing is written.');
  if (!options.yes && !(asks && (await confirmed()))) {
    throw new UserError('CONFIRM', 'Nothing was written.', 'To write it without a question, add --yes.');
  }
  await write(file, text);
  say('It is written. It holds from the next start on: walt-server stop, then walt-server start');
}

/** The new file. Throws UserError when it cannot be what is meant, in words of who answers: he has not written the file. */
async function checked(before: string, file: string, answers: Answers, host: HostLink[]): Promise<string> {
  const problem = answers.interfaces.map(problemOfAdapter).find((one) => one !== undefined);
  if (problem !== undefined) throw new UserError('INVALID', `${problem}.`, OTHER_ADAPTERS);
  parseSubnet(answers.subnet);
  const text = withNetwork(before, answers);
  const { network } = readConfig(text, file);
  const known = readConfig(before, file).network.interfaces.map(({ name }) => name);
  for (const adapter of network.interfaces) {
    const there = (name: string) => host.find((link) => isNamed(link, name));
    const found = there(adapter.link);
    const why = found && reasonAgainst(adapter, found, { host });
    if (why) throw why;
    // One that the platform has now is not the host's.
    if (found || known.includes(adapter.name)) continue;
    const needed = adapter.vlan?.parent ?? adapter.link;
    if (!there(needed)) throw await whyAbsent(needed, undefined, [], 'Name another one, or plug it in.');
  }
  return text;
}

/** The configuration with these answers; other keys and comments stay, and what is said of an adapter that is named again. */
export function withNetwork(text: string, { interfaces, subnet }: Answers): string {
  const document: Document = parseDocument(text);
  if (document.contents === null) document.contents = document.createNode({});
  const old = readConfig(text, 'server.conf').network;
  const entries = interfaces.map((name) => {
    const known = old.interfaces.find((one) => one.name === name);
    return known?.acceptInUse ? { name, 'accept-in-use': true } : name;
  });
  const set = (key: string, value: unknown) => {
    const network = document.get('network');
    if (!(network instanceof YAMLMap)) document.set('network', document.createNode({}));
    document.setIn(['network', key], document.createNode(value));
  };
  if (interfaces.join() !== old.interfaces.map(({ name }) => name).join()) set('interfaces', entries);
  if (subnet !== old.subnet) set('subnet', subnet);
  const written = document.toString({ lineWidth: 0 });
  return written.trim() === '{}' ? '' : written;
}

async function ask(
  options: SetupOptions,
  given: Answers,
  host: HostLink[],
  check: (answers: Answers) => Promise<string>,
  say: (text: string) => void,
): Promise<string> {
  const lines = host.filter(isEthernet).map(({ ifname, ...link }) => {
    const why = reasonAgainst({ name: ifname, acceptInUse: false }, { ifname, ...link }, { host });
    // It begins with the name.
    return `  ${why ? why.message : `${ifname} is free.`}`;
  });
  say(
    'walt-net is the network of your nodes: boards and PCs on a switch, virtual nodes. The server answers DHCP there.',
  );
  say(`\nAdapters of this machine:\n${lines.join('\n') || '  none'}\n`);
  /** Asks until the answer fits. */
  const answered = async (text: string, answersOf: (answer: string) => Answers): Promise<Answers> => {
    for (;;) {
      const answers = answersOf(await question(text));
      try {
        await check(answers);
        return answers;
      } catch (error) {
        if (!isUserError(error)) throw error;
        say(`\n${error.message}\n  → ${error.hint}\n`);
      }
    }
  };
  let answers = given;
  if (!options.interface) {
    const text = `Adapters that lead to nodes; a VLAN as NAME.169; "none": virtual nodes only [${given.interfaces.join(' ') || 'none'}]: `;
    answers = await answered(text, (answer) => ({ ...given, interfaces: words(answer, given.interfaces) }));
  }
  if (options.subnet === undefined) {
    const { interfaces } = answers;
    const text = `Subnet of walt-net [${given.subnet}]: `;
    answers = await answered(text, (answer) => ({ interfaces, subnet: answer || given.subnet }));
  }
  return await check(answers);
}

function words(answer: string, otherwise: readonly string[]): readonly string[] {
  if (answer === '') return otherwise;
  return answer === 'none' ? [] : answer.split(/[\s,]+/);
}

async function confirmed(): Promise<boolean> {
  for (;;) {
    const answer = (await question('Write this file? (y/n): ')).toLowerCase();
    if (['y', 'yes'].includes(answer)) return true;
    if (['n', 'no'].includes(answer)) return false;
  }
}

/** One line of the terminal, without blanks around it. Throws UserError when there is none any more. */
async function question(text: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const over = new AbortController();
  terminal.once('close', () => over.abort());
  terminal.once('SIGINT', () => terminal.close());
  try {
    return (await terminal.question(text, { signal: over.signal })).trim();
  } catch (error) {
    if (!over.signal.aborted) throw error;
    throw new UserError('CONFIRM', 'Nothing was written.', 'Start again: walt-server setup');
  } finally {
    terminal.close();
  }
}

function isEthernet({ ifname, link_type }: HostLink): boolean {
  return link_type === 'ether' && ifname !== 'lo';
}

/** A link is followed, and who may read it stays. */
async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  try {
    const path = await realpath(file);
    await writeFileAtomic(path, text, (await stat(path)).mode & 0o777);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    await writeFileAtomic(file, text);
  }
}
