/**
 * Who may do what: the one table. A row tells who may, and what everybody else is told. Whoever carries out an act demands its
 * row first. What lasts demands it again while it lasts (`StandingRights`).
 */
import { FIRST_PORT_OF_USERS, fullName, type NamedImage, PLATFORM_OWNER, withoutTag } from '@walt/contract';
import { nameList, UserError } from '../platform/index.ts';
import { type Caller, isAdministrator } from './caller.ts';

/** What one row is about is one thing; users hear of all that they may not touch in one sentence. */
interface Rule<About> {
  who(caller: Caller, about: About): boolean;
  /** CONFIRM: it is a question, and he may once he has said yes. */
  code: 'FORBIDDEN' | 'NOT_FOUND' | 'CONFLICT' | 'UNAVAILABLE' | 'CONFIRM';
  /** Sentence and next step. */
  told(refused: readonly [About, ...About[]]): [sentence: string, hint: string];
}

export interface OwnedNode {
  name: string;
  /** Null: it is free. */
  owner: string | null;
  /** Whether its owner lets the caller use it. */
  guest?: boolean;
}

/** A node that is to boot another image. */
interface BootedNode extends OwnedNode {
  /** Who owns that image, and so the node from then on. */
  imageOwner?: string;
}

/** A node, and whose boot runs there: not yet the owner's until it has rebooted for him. */
interface RunningNode extends OwnedNode {
  bootOwner: string | null;
}

/** Of a virtual node. */
interface NodeDisks {
  name: string;
  /** Their numbers as users count them; bytes, and how many of these are taken on the server. */
  disks: readonly { number: number; size: number; used: number }[];
}

/** A node on a network that another one is to join. */
interface NetworkMember extends OwnedNode {
  network: string;
}

interface OpenSession {
  id: string;
  /** `owner/name`. */
  image: string;
  /** Who opened it. */
  user: string;
}

const nobody = () => false;

export const policy = {
  /** Its files, its versions, what it is called; to copy it, to build with it, to run commands in it. */
  'image.see': rule<NamedImage & { hidden: boolean; guest?: boolean }>({
    who: (caller, { owner, hidden, guest }) =>
      !hidden || isAdministrator(caller) || caller.user === owner || guest === true,
    code: 'NOT_FOUND',
    told: ([image]) => [`There is no image named "${fullName(image)}".`, 'See: walt image show --all'],
  }),
  'image.allow': changeOfImage('hide or share'),
  'image.rename': changeOfImage('rename'),
  'image.remove': changeOfImage('remove'),
  'image.change': changeOfImage('change'),
  'image.giveUp': changeOfImage('give up versions of'),
  'image.removeOfOthers': rule<NamedImage>({
    who: (caller, { owner }) => caller.user === owner,
    code: 'CONFIRM',
    told: ([image]) => [
      `Image ${fullName(image)} belongs to ${image.owner}.`,
      'Pass --yes to remove it all the same.',
    ],
  }),
  /** About an image whose name is to become another one's. */
  'image.replace': rule<NamedImage>({
    who: nobody,
    code: 'CONFIRM',
    told: ([{ name }]) => [
      `You have an image ${name} already; it would be replaced.`,
      'Choose another name, or pass --yes to replace it.',
    ],
  }),
  /** About versions that only the history of the image keeps; `size` is in bytes on disk. */
  'image.forget': rule<NamedImage & { count: number; size: number }>({
    who: (_caller, { count }) => count <= 0,
    code: 'CONFIRM',
    told: ([{ count, size, ...image }]) => [
      `${count} ${count === 1 ? 'version' : 'versions'} of image ${fullName(image)} would go for good (${Math.ceil(size / 1_000_000)} MB on disk).`,
      'Pass --dry-run to see which, --yes to remove them.',
    ],
  }),
  /**
   * Root, too, needs a copy: the owner of a node's image is the owner of the node. `lent`: he owns all nodes that are to boot it, and
   * lets the caller use them.
   */
  'image.boot': rule<NamedImage & { lent?: boolean }>({
    who: (caller, { owner, lent }) => owner === caller.user || owner === PLATFORM_OWNER || lent === true,
    code: 'FORBIDDEN',
    told: ([image]) => [
      `${fullName(image)} is ${image.owner}'s image: a node that boots it would be ${image.owner}'s.`,
      `Make your own copy first: walt image duplicate ${fullName(image)} ${image.name}`,
    ],
  }),
  /** Without a name of his choice, which begins with the name of his login. */
  'registry.publish': rule<{ label: string; login: string | null }>({
    who: (_caller, { login }) => login !== null,
    code: 'FORBIDDEN',
    told: ([{ label }]) => [
      `You are not logged in to registry "${label}".`,
      `Log in with: walt registry login ${label}`,
    ],
  }),
  /** About an image in a registry whose name is to become another one's. */
  'registry.replace': rule<{ label: string; reference: string }>({
    who: nobody,
    code: 'CONFIRM',
    told: ([{ label, reference }]) => [
      `Registry "${label}" has another image ${reference} already; it would be replaced.`,
      'Choose another name with --name, or pass --yes to replace it.',
    ],
  }),

  'session.use': rule<OpenSession>({
    who: (caller, { user }) => isAdministrator(caller) || caller.user === user,
    code: 'FORBIDDEN',
    told: ([{ id, image, user }]) => [
      `Session ${id} on image ${image} was opened by ${user}.`,
      `Ask ${user} to save or discard it.`,
    ],
  }),

  /** What is no node belongs to nobody: everybody may name it, make it a node, reach its SSH server. */
  'device.use': rule<OwnedNode>({
    who: isOpenTo,
    code: 'FORBIDDEN',
    told: ([{ name, owner }]) => [`${name} belongs to ${owner}.`, `Ask ${owner}.`],
  }),
  /** About a node: all that is kept of it goes. */
  'device.forget': rule<OwnedNode>({
    who: (_caller, { owner }) => owner === null,
    code: 'CONFLICT',
    told: (nodes) => [
      `${nameList(nodes)} in use by ${ownersOf(nodes)}.`,
      `It must be free first: walt node release ${nodes.map(({ name }) => name).join(',')}`,
    ],
  }),

  /** Shell, run, cp, console, save, forwarded ports. */
  'node.use': rule<OwnedNode>({
    who: isOpenTo,
    code: 'FORBIDDEN',
    told: ([{ name, owner }]) => [
      `Node ${name} belongs to ${owner}.`,
      `Ask ${owner} to let you use it (walt node allow) or to release it, or take a free node: walt node show --all`,
    ],
  }),
  /** Who else may use it. */
  'node.allow': rule<OwnedNode>({
    who: (caller, { owner }) => isAdministrator(caller) || owner === caller.user,
    code: 'FORBIDDEN',
    told: (nodes) => [
      `${nameList(nodes)} in use by ${ownersOf(nodes)}: only the owner says who else may use a node.`,
      `Ask ${ownersOf(nodes)}.`,
    ],
  }),
  /** After `node.use`: what runs there must not be what another owner booted, with his /persist. Its reboot is ordered. */
  'node.enter': rule<RunningNode>({
    who: (caller, { owner, bootOwner, guest = false }) =>
      isOpenTo(caller, { owner: bootOwner, guest: guest && bootOwner === owner }),
    code: 'UNAVAILABLE',
    told: ([{ name, bootOwner }]) => [
      `Node ${name} still runs what ${bootOwner} booted; it is told to reboot.`,
      `Wait for it: walt node wait ${name}`,
    ],
  }),
  'node.acquire': rule<OwnedNode>({
    who: isFreeOrOwn,
    code: 'CONFLICT',
    told: (nodes) => [
      `${nameList(nodes)} in use by ${ownersOf(nodes)}.`,
      `Ask for: walt node release ${nodes.map(({ name }) => name).join(',')}`,
    ],
  }),
  /** Guests leave it to its owner. */
  'node.boot': actOnNodes<BootedNode>(
    (them) => `take ${them} over`,
    (caller, { owner, guest, imageOwner }) =>
      isFreeOrOwn(caller, { owner }) || (guest === true && imageOwner === owner),
  ),
  'node.reboot': actOnNodes((them) => `reboot ${them}`, isOwnOrGuest),
  'node.release': actOnNodes((them) => `release ${them}`, isFreeOrOwn),
  'node.rename': actOnNodes((them) => `rename ${them}`, isOwnOrGuest),
  'node.config': actOnNodes((them) => `change ${them === 'it' ? 'its' : 'their'} settings`, isOwnOrGuest),
  /** Who says which plug a node hangs on can have any plug pulled that server.conf names. */
  'node.power': rule<{ name: string }>({
    who: (caller) => isAdministrator(caller),
    code: 'FORBIDDEN',
    told: ([{ name }]) => [
      'Only an administrator says who has the power of a node.',
      `Ask the administrator for: sudo walt node config ${name} power=…`,
    ],
  }),
  /** About a port of the server machine that is to lead to a node: as on any such machine. */
  'node.takePort': rule<{ name: string; port: number }>({
    who: (caller, { port }) => isAdministrator(caller) || port >= FIRST_PORT_OF_USERS,
    code: 'FORBIDDEN',
    told: ([{ name, port }]) => [
      `Only an administrator opens ports of the server machine below ${FIRST_PORT_OF_USERS}, as ${port}.`,
      `Take a higher one, or ask the administrator for: sudo walt node config ${name} expose=…`,
    ],
  }),
  /** About nodes with disks that are to be taken away, or made anew. */
  'node.loseDisks': rule<NodeDisks>({
    who: (_caller, { disks }) => disks.length === 0,
    code: 'CONFIRM',
    told: (nodes) => [`All data on ${disksOf(nodes)} would be lost for good. Go on?`, ANSWER],
  }),
  /** About nodes of others on it. */
  'node.joinNetwork': rule<NetworkMember>({
    who: isFreeOrOwn,
    code: 'CONFIRM',
    told: (nodes) => {
      const networks = [...new Set(nodes.map(({ network }) => network))].join(', ');
      return [
        `${nameList(nodes)} on ${networks} already, of ${ownersOf(nodes)}: they would hear each other. Go on?`,
        'Choose another name for the network, answer the question, or repeat the command with --yes.',
      ];
    },
  }),
  'node.remove': actOnNodes((them) => `remove ${them}`, isFreeOrOwn),
  'quota.ofOthers': rule<object>({
    who: (caller) => isAdministrator(caller),
    code: 'FORBIDDEN',
    told: () => ['Only an administrator sees the quotas of others.', 'Leave out --all to see yours.'],
  }),
  /** Everybody may read all lines. What is imported says itself which node, or that the platform, has logged it. */
  'log.import': rule<object>({
    who: (caller) => isAdministrator(caller),
    code: 'FORBIDDEN',
    told: () => [
      'Only an administrator imports lines of logs: they may be of any node, and of the platform.',
      'Ask the administrator for: sudo walt log import FILE',
    ],
  }),
  /** Of one's own nodes, too. */
  'node.forget': rule<NodeDisks>({
    who: nobody,
    code: 'CONFIRM',
    told: (nodes) => {
      const withDisks = nodes.filter(({ disks }) => disks.length > 0);
      const theirs = withDisks.length > 0 ? `, and ${disksOf(withDisks)}` : '';
      const names = nodes.map(({ name }) => name).join(', ');
      return [`Removing ${names} deletes what is stored in /persist there${theirs}. Go on?`, ANSWER];
    },
  }),
};

type Policy = typeof policy;
export type Action = keyof Policy;
export type About<A extends Action> = Policy[A] extends Rule<infer Thing> ? Thing : never;

/** Throws UserError, as the action's row tells, unless the caller may do that; `yes` is his answer, should the row ask. */
export function demand<A extends Action>(action: A, caller: Caller, about: About<A>, yes = false): void {
  demandAll(action, caller, [about], yes);
}

/** As `demand`, of several things: the error names all that the caller may not touch. */
export function demandAll<A extends Action>(
  action: A,
  caller: Caller,
  things: readonly About<A>[],
  yes = false,
): void {
  const { who, code } = rowOf(action);
  if (yes && code === 'CONFIRM') return;
  const [first, ...others] = things.filter((about) => !who(caller, about));
  if (first !== undefined) throw refusal(action, first, ...others);
}

/** Whether the caller may do that without being asked. */
export function isAllowed<A extends Action>(action: A, caller: Caller, about: About<A>): boolean {
  return rowOf(action).who(caller, about);
}

/** What who may not do this is told. */
export function refusal<A extends Action>(action: A, ...refused: [About<A>, ...About<A>[]]): UserError {
  const { code, told } = rowOf(action);
  return new UserError(code, ...told(refused));
}

function rowOf<A extends Action>(action: A): Rule<About<A>> {
  // TypeScript does not see that each row is about its own `About`.
  return policy[action] as unknown as Rule<About<A>>;
}

const ANSWER = 'Answer the question, or repeat the command with --yes.';

function rule<Thing>(row: Rule<Thing>): Rule<Thing> {
  return row;
}

/** `deed` is what cannot be done, as in "you cannot DEED it". */
function changeOfImage(deed: string): Rule<NamedImage> {
  return {
    who: (caller, { owner }) => isAdministrator(caller) || caller.user === owner,
    code: 'FORBIDDEN',
    told: ([image]) => [
      `Image ${fullName(image)} belongs to ${image.owner}: you cannot ${deed} it.`,
      `Make a copy of your own: walt image duplicate ${fullName(image)} ${withoutTag(image.name)}-copy`,
    ],
  };
}

/** What touches somebody else's work is asked; `act` is what is done, as in "Do you want to ACT it?". */
/** `act`: what is to be done, by the word for the nodes. */
function actOnNodes<Node extends OwnedNode>(
  act: (them: 'it' | 'them') => string,
  who: Rule<Node>['who'],
): Rule<Node> {
  return {
    who,
    code: 'CONFIRM',
    told: (nodes) => [
      `${nameList(nodes)} in use by ${ownersOf(nodes)}. Do you want to ${act(nodes.length === 1 ? 'it' : 'them')}?`,
      ANSWER,
    ],
  };
}

function isFreeOrOwn(caller: Caller, { owner }: Pick<OwnedNode, 'owner'>): boolean {
  return owner === null || owner === caller.user;
}

function isOwnOrGuest(caller: Caller, { owner, guest }: Pick<OwnedNode, 'owner' | 'guest'>): boolean {
  return isFreeOrOwn(caller, { owner }) || guest === true;
}

function isOpenTo(caller: Caller, node: Pick<OwnedNode, 'owner' | 'guest'>): boolean {
  return isAdministrator(caller) || isOwnOrGuest(caller, node);
}

function disksOf(nodes: readonly NodeDisks[]): string {
  return nodes
    .flatMap(({ name, disks }) =>
      disks.map(
        ({ number, size, used }) => `disk ${number} of ${name} (${sizeOf(size)}, ${sizeOf(used)} in use)`,
      ),
    )
    .join(', ');
}

function sizeOf(bytes: number): string {
  if (bytes < 1e9) return `${Math.ceil(bytes / 1e6)} MB`;
  return bytes < 1e12 ? `${Number((bytes / 1e9).toFixed(2))} GB` : `${Number((bytes / 1e12).toFixed(2))} TB`;
}

function ownersOf(nodes: readonly OwnedNode[]): string {
  return [...new Set(nodes.map(({ owner }) => owner))].join(', ');
}
