/** What to do with adapters, decided from what should be and what is. Pure. */
import { UserError, type WantedAdapter } from '../../platform/index.ts';
import type { Link } from '../ip.ts';
import type { Taken } from './record.ts';
import { type HostLink, isNamed, type World } from './world.ts';

export type Step =
  /** Notes what it is, and brings it into walt-net's namespace; it is up then, and in no bridge. */
  | { kind: 'take'; name: string; link: HostLink }
  /** Makes a VLAN on an adapter of the host, in walt-net's namespace. */
  | { kind: 'make-vlan'; name: string; link: string; parent: HostLink; id: number }
  /** Switches the host's adapter on that a VLAN of ours lies on. */
  | { kind: 'raise'; name: string; parent: string }
  /** Puts it into the bridge. */
  | { kind: 'join'; name: string; link: string }
  /** Makes it what it was. */
  | { kind: 'give-back'; taken: Taken };

export type Steps = { [Kind in Step['kind']]: Extract<Step, { kind: Kind }> };

/** How it is with an adapter. */
export type Finding =
  /** It is in walt-net, or will be after the steps; `carrier`: its cable leads to something that is on. */
  | { name: string; state: 'joined'; link: string; carrier: boolean }
  | { name: string; state: 'missing'; what: string }
  /** It stays with the host. */
  | { name: string; state: 'refused'; why: UserError };

export interface Plan {
  steps: Step[];
  findings: Finding[];
}

export function plan(
  wanted: readonly WantedAdapter[],
  world: World,
  taken: readonly Taken[],
  bridge: string,
): Plan {
  const plans = wanted.map((adapter) => planOne(adapter, world, taken, bridge));
  const unwanted = taken.filter((one) => !wanted.some(({ name }) => name === one.name));
  return {
    // What is given back first may be what another entry needs.
    steps: [
      ...unwanted.map((one): Step => ({ kind: 'give-back', taken: one })),
      ...plans.flatMap(({ steps }) => steps),
    ],
    findings: plans.map(({ finding }) => finding),
  };
}

interface OnePlan {
  steps: Step[];
  finding: Finding;
}

function planOne(adapter: WantedAdapter, world: World, taken: readonly Taken[], bridge: string): OnePlan {
  const { name, link, vlan } = adapter;
  const known = taken.find((one) => one.name === name);
  const inside = world.inside.find((one) => isNamed(one, known?.link ?? link));
  const parent = vlan && world.host.find((one) => isNamed(one, vlan.parent));
  if (inside) {
    // Another platform's VLAN on it may have ended, or somebody else's hand.
    const isOff = known?.vlan && parent && !parent.flags.includes('UP');
    return alreadyInside(name, inside, bridge, isOff ? [{ kind: 'raise', name, parent: parent.ifname }] : []);
  }
  const onHost = world.host.find((one) => isNamed(one, link));
  if (onHost) {
    const why = reasonAgainst(adapter, onHost, world);
    if (why) return { steps: [], finding: { name, state: 'refused', why } };
    return {
      steps: [
        { kind: 'take', name, link: onHost },
        { kind: 'join', name, link: onHost.ifname },
      ],
      finding: { name, state: 'joined', link: onHost.ifname, carrier: false },
    };
  }
  if (!vlan) return { steps: [], finding: { name, state: 'missing', what: name } };
  if (!parent) return { steps: [], finding: { name, state: 'missing', what: vlan.parent } };
  return {
    steps: [
      { kind: 'make-vlan', name, link, parent, id: vlan.id },
      { kind: 'join', name, link },
    ],
    finding: { name, state: 'joined', link, carrier: false },
  };
}

function alreadyInside(name: string, link: Link, bridge: string, first: Step[]): OnePlan {
  const { ifname, flags, master } = link;
  const joined = master === bridge && flags.includes('UP');
  return {
    steps: joined ? first : [...first, { kind: 'join', name, link: ifname }],
    finding: { name, state: 'joined', link: ifname, carrier: flags.includes('LOWER_UP') },
  };
}

/** Links that can be in no bridge, or in no namespace but their own (netns-immutable). */
const FIXED = ['bridge', 'bond', 'team', 'openvswitch'];
/** Links that lie on another one. */
const STACKED = ['vlan', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap'];

/** Why an adapter that is on the host must stay there; undefined: it need not. */
export function reasonAgainst(
  { name, acceptInUse }: Pick<WantedAdapter, 'name' | 'acceptInUse'>,
  link: HostLink,
  { host }: Pick<World, 'host'>,
): UserError | undefined {
  const kind = link.linkinfo?.info_kind ?? '';
  if (link.master !== undefined) {
    return refusal(
      `${name} is a member of ${link.master}, which is this machine's own.`,
      `Take it out first: ip link set dev ${link.ifname} nomaster`,
    );
  }
  if (link.wireless) {
    return refusal(
      `${name} is a Wi-Fi adapter: it carries only the frames of its own address, so it cannot join a bridge.`,
      'Name a wired adapter in network.interfaces.',
    );
  }
  if (FIXED.includes(kind) || link.link_type !== 'ether') {
    return refusal(
      `${name} is no adapter that can join a bridge, but ${kind ? `of the kind "${kind}"` : `"${link.link_type}"`}.`,
      'Name an Ethernet adapter in network.interfaces, or a VLAN on it, as enp3s0.169.',
    );
  }
  if (!/^[\w.+-]+$/.test(link.ifname)) {
    return refusal(
      `${name} is called ${JSON.stringify(link.ifname)} on this machine, which other programs would stumble over.`,
      'Rename it first: ip link set dev … name lab0',
    );
  }
  if (acceptInUse) return undefined;
  const use = useOf(link) ?? useOfUpper(link, host);
  if (use === undefined) return undefined;
  return refusal(
    `${name} ${use}: as a part of walt-net, it would be lost to this machine.`,
    `Name another adapter or a VLAN on this one, as ${link.ifname}.169; or accept it in server.conf, with {name: ${name}, accept-in-use: true}.`,
  );
}

function useOf({ addresses, routes }: HostLink): string | undefined {
  if (routes.some(({ dst }) => dst === 'default')) return "carries this machine's default route";
  const [first] = addresses;
  return first && `carries the address ${first.local}`;
}

function useOfUpper(link: HostLink, host: readonly HostLink[]): string | undefined {
  const upper = host.find(
    (one) => one.link === link.ifname && STACKED.includes(one.linkinfo?.info_kind ?? ''),
  );
  return upper && `carries ${upper.ifname} of this machine`;
}

function refusal(message: string, hint: string): UserError {
  return new UserError('CONFLICT', message, hint);
}
