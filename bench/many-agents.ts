/**
 * Agents of many nodes, played in one process: each asks as `packages/node/initramfs/walt-agent` does, on an address of its own. What
 * `many-nodes.ts` and `hosts.ts` tell it by messages: who begins, and whose machine is gone. It tells who was ordered to reboot, and ends.
 */
import { type ClientRequest, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface Agent {
  ip: string;
  token: string;
  generation: number;
}

export interface AgentsOrder {
  server: string;
  port: number;
  agents: readonly Agent[];
  /** Milliseconds over which they begin; 0: each begins with a question of a node that boots. */
  spread: number;
  /** Addresses of those that end at once, as without power. */
  gone?: readonly string[];
}

export type AgentsWord = { asked: true } | { ordered: string };

/** Milliseconds until a node that boots has an SSH server. */
const BOOT = 2_000;
/** What an agent tells beside its generation. */
const TOLD = 'disk=none&room=1015780,812340,507888,507888,0,507888,489012';
const STEPS = 'up=8.1&network=2.2&root=3.4&init=4.0';

/** By address: those that live, and what they ask. */
const living = new Map<string, { agent: Agent; question?: ClientRequest }>();

process.on('message', async ({ agents, spread, gone = [], ...server }: AgentsOrder) => {
  for (const ip of gone) {
    living.get(ip)?.question?.destroy();
    living.delete(ip);
  }
  const batch = Math.ceil(agents.length / 100);
  for (const [index, agent] of agents.entries()) {
    if (spread > 0 && index % batch === 0) await delay(spread / 100);
    void live(agent, server, spread === 0);
  }
  tell({ asked: true });
});

// The bench has ended, however that was.
process.once('disconnect', () => process.exit());

/** Asks again as soon as it is answered, each time by a new connection, as busybox's wget does. */
async function live(agent: Agent, server: Pick<AgentsOrder, 'server' | 'port'>, boots: boolean) {
  const { ip } = agent;
  living.get(ip)?.question?.destroy();
  living.set(ip, { agent });
  const lives = () => living.get(ip)?.agent === agent;
  if (boots) {
    const early = poll(agent, server, `booted=0&${STEPS}`);
    await delay(BOOT);
    if (lives()) living.get(ip)?.question?.destroy();
    await early;
  }
  let told = boots ? `&${STEPS}` : '';
  while (lives()) {
    const order = await poll(agent, server, `booted=1${told}`);
    if (!lives()) return;
    if (order === 'reboot') {
      living.delete(ip);
      tell({ ordered: ip });
    } else if (order !== 'stay') await delay(1000);
    if (order === 'stay') told = '';
  }
}

/** What is answered; undefined: nothing, or a refusal. */
function poll(
  { ip, token, generation }: Agent,
  { server, port }: Pick<AgentsOrder, 'server' | 'port'>,
  report: string,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const clock = Math.floor(Date.now() / 1000);
  const question = get({
    ...{ host: server, port, localAddress: ip, agent: false },
    path: `/node/poll?generation=${generation}&${report}&${TOLD}&clock=${clock}`,
    headers: { 'x-walt-token': token },
  });
  const known = living.get(ip);
  if (known) known.question = question;
  question.on('response', (answer) => {
    let text = '';
    answer.setEncoding('latin1').on('data', (part) => {
      text += part;
    });
    answer.once('close', () => resolve(answer.statusCode === 200 ? text.trim() : undefined));
  });
  question.once('error', () => resolve(undefined));
  return promise;
}

function tell(word: AgentsWord): void {
  process.send?.(word);
}
