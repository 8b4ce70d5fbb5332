/** Agents of many nodes, played in one process: each asks as `packages/node/initramfs/walt-agent` does, on an address of its own. */
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export interface AgentsOrder {
  server: string;
  port: number;
  agents: { ip: string; token: string }[];
}

/** Milliseconds in which all ask for the first time: their questions are then spread over the time that one is held. */
const SPREAD = 20_000;
/** What an agent tells beside its generation. */
const TOLD = 'booted=1&disk=none&room=1015780,812340,507888,507888,0,507888,489012';

process.once('message', async ({ agents, ...server }: AgentsOrder) => {
  for (const [index, agent] of agents.entries()) {
    if (index % 50 === 0) await delay((SPREAD * 50) / agents.length);
    void live(agent, server);
  }
  process.send?.('asked');
});

/** Asks again as soon as it is answered, each time by a new connection, as busybox's wget does. */
async function live(
  { ip, token }: AgentsOrder['agents'][number],
  server: Omit<AgentsOrder, 'agents'>,
): Promise<never> {
  for (;;) if (!(await poll(ip, token, server))) await delay(1000);
}

function poll(ip: string, token: string, { server, port }: Omit<AgentsOrder, 'agents'>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const clock = Math.floor(Date.now() / 1000);
  const question = get({
    ...{ host: server, port, localAddress: ip, agent: false },
    path: `/node/poll?generation=1&${TOLD}&clock=${clock}`,
    headers: { 'x-walt-token': token },
  });
  question.on('response', (answer) => {
    answer.resume();
    answer.once('close', () => resolve(answer.statusCode === 200));
  });
  question.once('error', () => resolve(false));
  return promise;
}
