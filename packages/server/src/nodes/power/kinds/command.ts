import { isExternalError, type PowerConfigOf, run } from '../../../platform/index.ts';
import type { NodeRow } from '../../store.ts';
import { inNetwork, type Place } from '../place.ts';
import { type PowerKind, powerFailure, powerOf } from '../source.ts';

/** Milliseconds for one command, and bytes that it may print. */
const LIMITS = { timeout: 30_000, maxOutput: 65_536 };
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Commands that the administrator wrote into server.conf, for what no other kind knows. */
export function command(name: string, config: PowerConfigOf<'command'>, place: Place): PowerKind {
  const lines = { on: config.on, off: config.off, reset: config.reset, state: config.state };
  const words = Object.values(lines).flatMap((line) => line ?? []);

  async function execute(line: readonly string[], node: NodeRow): Promise<string> {
    const { port = '' } = powerOf(node) ?? {};
    const values = new Map<string, string>([
      ...([
        ['{name}', node.name],
        ['{mac}', node.mac],
        ['{ip}', node.ip],
        ['{port}', port],
      ] as const),
    ]);
    try {
      const group = (await run(['id', '--group', '--', config.user])).trim();
      return await run(
        inNetwork(place, config.network, [
          ...['setpriv', '--reuid', config.user, '--regid', group, '--init-groups'],
          ...['--pdeathsig', 'KILL', '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--'],
          // Nothing of the server's environment concerns it.
          ...['env', '-i', PATH, 'LANG=C.UTF-8', ...line.map((word) => values.get(word) ?? word)],
        ]),
        { ...LIMITS, cwd: '/' },
      );
    } catch (error) {
      if (!isExternalError(error)) throw error;
      throw powerFailure(
        ...([name, `failed: ${error.message}`] as const),
        `Try the command by hand, as ${config.user}: it is power.${name} in server.conf.`,
      );
    }
  }

  const act = (line: readonly string[] | undefined) =>
    line && (async (node: NodeRow) => void (await execute(line, node)));
  const { on, off, reset } = { on: act(lines.on), off: act(lines.off), reset: act(lines.reset) };
  const { state } = lines;

  return {
    kind: 'command',
    port: words.includes('{port}') ? 'needed' : 'none',
    // It finds its node by what it is told.
    shared: words.some((word) => ['{name}', '{mac}', '{ip}'].includes(word)),
    ...(on && { on }),
    ...(off && { off }),
    ...(reset && { reset }),
    ...(state && {
      async state(node: NodeRow) {
        const told = (await execute(state, node)).trim();
        if (told === 'on' || told === 'off') return told;
        throw powerFailure(
          name,
          'prints neither "on" nor "off" as state.',
          `Correct power.${name}.state in server.conf.`,
        );
      },
    }),
  };
}
