/** A computer system of a Redfish service, and its power (DSP0268: ServiceRoot, ComputerSystemCollection, ComputerSystem). */
import { setTimeout as delay } from 'node:timers/promises';
import { type Order, RedfishError } from './protocol.ts';
import { idIn, isResource, type Resource } from './resource.ts';
import { Service } from './service.ts';

const ROOT = '/redfish/v1/';
const RESET = '#ComputerSystem.Reset';
/** Pages of a list of systems that are read. */
const MAX_PAGES = 16;
/** Milliseconds between two looks at a system that is to go off, and how many there are. */
const OFF_PAUSE = 500;
const OFF_LOOKS = 30;

type ResetType = 'On' | 'ForceOff' | 'PowerCycle' | 'ForceRestart';

/** Answers the state that its system then has, or was told to have. Throws RedfishError. */
export async function carryOut(order: Order, signal: AbortSignal): Promise<'on' | 'off'> {
  const service = new Service(order, signal);
  try {
    return await act(service, order);
  } finally {
    await service.close();
  }
}

async function act(service: Service, order: Order): Promise<'on' | 'off'> {
  const path = await findSystem(service, order.system);
  const system = await service.get(path);
  const state = stateOf(system);
  if (order.act === 'state' || order.act === state) return state;
  const { target, types } = await resetOf(service, system);
  const can = (type: ResetType) => types === undefined || types.includes(type);
  const command = async (type: ResetType) => {
    if (!can(type)) throw new RedfishError('refused', `cannot do ${type}: it offers ${listed(types ?? [])}.`);
    await service.post(target, { ResetType: type });
  };
  // Services refuse to restart what is off (HTTP 400 of iLO), and `ForceOff` of it.
  if (state === 'off') await command('On');
  else if (order.act === 'off') await command('ForceOff');
  else if (can('PowerCycle') && types !== undefined) await command('PowerCycle');
  else if (can('ForceRestart')) await command('ForceRestart');
  else {
    await command('ForceOff');
    await untilOff(service, path);
    await command('On');
  }
  return order.act === 'off' ? 'off' : 'on';
}

async function findSystem(service: Service, wanted: string | null): Promise<unknown> {
  const { Systems } = await service.get(ROOT);
  const found: string[] = [];
  let next = idIn(Systems);
  for (let page = 0; page < MAX_PAGES && next !== undefined; page += 1) {
    const list = await service.get(next);
    const members: unknown[] = Array.isArray(list.Members) ? list.Members : [];
    for (const member of members) {
      const id = idIn(member);
      if (typeof id === 'string') found.push(id);
    }
    next = list['Members@odata.nextLink'];
  }
  const [first, ...others] = wanted === null ? found : found.filter((path) => idOf(path) === wanted);
  if (first !== undefined && others.length === 0) return first;
  const all = listed(found.map(idOf));
  throw new RedfishError(
    'system',
    wanted === null
      ? `has the systems ${all}, and must be told which.`
      : `has no system ${wanted}: there are ${all}.`,
  );
}

/** DSP0268, ComputerSystem.PowerState. */
function stateOf({ PowerState: state }: Resource): 'on' | 'off' {
  if (state === 'Off') return 'off';
  if (state === 'On' || state === 'PoweringOn' || state === 'PoweringOff' || state === 'Paused') return 'on';
  throw new RedfishError('absurd', 'does not tell whether power is on.');
}

/** Where to send a reset, and the kinds that it takes; undefined: it does not say. */
async function resetOf(service: Service, { Actions: actions }: Resource) {
  const reset = isResource(actions) ? actions[RESET] : undefined;
  if (!isResource(reset)) throw new RedfishError('refused', 'offers no way to switch power.');
  let types = reset['ResetType@Redfish.AllowableValues'];
  if (types === undefined && reset['@Redfish.ActionInfo'] !== undefined) {
    const { Parameters: parameters } = await service.get(reset['@Redfish.ActionInfo']);
    const all: unknown[] = Array.isArray(parameters) ? parameters : [];
    const own = all.find((one) => isResource(one) && one.Name === 'ResetType');
    types = isResource(own) ? own.AllowableValues : undefined;
  }
  return { target: reset.target, types: Array.isArray(types) ? types.map(String) : undefined };
}

async function untilOff(service: Service, path: unknown): Promise<void> {
  for (let look = 0; look < OFF_LOOKS; look += 1) {
    if (stateOf(await service.get(path)) === 'off') return;
    await delay(OFF_PAUSE);
  }
  throw new RedfishError('refused', 'took the command to switch off, and power stays on.');
}

/** What a setting has behind its colon: the end of the path, which is the property Id of all known services. */
function idOf(path: string): string {
  return path.replace(/\/+$/, '').split('/').at(-1) ?? '';
}

/** Made safe to print. */
function listed(names: readonly string[]): string {
  const text = names
    .slice(0, 16)
    .join(', ')
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
    .slice(0, 300);
  return text || 'none';
}
