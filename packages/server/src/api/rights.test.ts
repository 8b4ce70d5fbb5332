/** The table of docs/node-ownership.md, row by row, through the API: who may do what with a node, by his role and by what its owner lets him. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ORPCError } from '@orpc/client';
import { openApi, openStream } from '../../test/api.ts';

const roles = { administrators: ['root'], members: undefined, viewers: ['erin'] };
const groups = new Map([['students', new Set(['dave'])]]);
const api = await openApi({
  roles,
  logins: {
    userExists: async () => true,
    groupExists: async (name) => groups.has(name),
    groupsOf: async (user) => new Set([...groups].flatMap(([name, of]) => (of.has(user) ? [name] : []))),
  },
});
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f';

/** The node is alice's; she lets carol, the group students and erin use it. */
const WHO = {
  owner: 'alice',
  administrator: 'root',
  stranger: 'bob',
  guest: 'carol',
  'guest by a group': 'dave',
  viewer: 'erin',
} as const;
type Who = keyof typeof WHO;
type Client = Awaited<ReturnType<typeof api.client>>;

/** `asked`: after a question; `role`: his role is less than what it asks. */
type Answer = 'yes' | 'asked' | 'no' | 'role';

interface Row {
  act: string;
  try(client: Client, user: string): Promise<unknown>;
  expected: Record<Who, Answer>;
}

const answers = (...of: [Answer, Answer, Answer, Answer, Answer]): Record<Who, Answer> => ({
  ...{ owner: of[0], administrator: of[1], stranger: of[2], guest: of[3], 'guest by a group': of[3] },
  viewer: of[4],
});
const enters = answers('yes', 'yes', 'no', 'yes', 'role');
const works = answers('yes', 'asked', 'asked', 'yes', 'role');
const takes = answers('yes', 'asked', 'asked', 'asked', 'role');
const set = 'vnode1';
/** Of the node, on which it says hello. */
let port = 0;

const rows: Row[] = [
  {
    act: 'see it',
    try: (c) => c.node.details({ set }),
    expected: answers('yes', 'yes', 'yes', 'yes', 'yes'),
  },
  { act: 'wait for it', try: waited, expected: answers('yes', 'yes', 'yes', 'yes', 'yes') },
  { act: 'connect to it', try: (_, user) => stream(user, 'tcp', `&port=${port}`), expected: enters },
  { act: 'open its console', try: (_, user) => stream(user, 'console'), expected: enters },
  {
    act: 'log in by SSH',
    try: (c) => c.access.certify({ nodes: [set], publicKey: KEY }),
    expected: enters,
  },
  { act: 'save what was changed', try: (c) => c.node.changes.parts({ name: set }), expected: enters },
  { act: 'reboot it', try: (c) => c.node.reboot({ set }), expected: works },
  { act: 'rename it', try: (c) => c.node.rename({ name: set, newName: 'other' }), expected: works },
  {
    act: 'change its settings',
    try: (c) => c.node.config({ set, settings: [{ name: 'boot.retries', value: '3' }] }),
    expected: works,
  },
  {
    act: "boot another image of its owner's",
    try: (c) => c.node.boot({ set, image: 'alice/other' }),
    expected: answers('yes', 'no', 'no', 'yes', 'role'),
  },
  { act: 'boot an image of his', try: (c) => c.node.boot({ set, image: 'mine' }), expected: takes },
  { act: 'free it', try: (c) => c.node.release({ set }), expected: takes },
  {
    act: 'let others use it',
    try: (c) => c.node.allow({ set, users: ['frank'] }),
    expected: answers('yes', 'yes', 'no', 'no', 'role'),
  },
  {
    act: 'take back that others use it',
    try: (c) => c.node.disallow({ set, all: true }),
    expected: answers('yes', 'yes', 'no', 'no', 'role'),
  },
  {
    act: 'acquire it',
    try: (c) => c.node.acquire({ set }),
    expected: answers('yes', 'no', 'no', 'no', 'role'),
  },
  {
    act: 'remove it',
    try: (c) => c.node.remove({ set }),
    expected: answers('asked', 'asked', 'asked', 'asked', 'role'),
  },
];

async function waited(client: Client): Promise<void> {
  for await (const _event of await client.node.wait({ set }));
}

/** Throws what the stream was refused with; resolves when it came to the node. */
async function stream(user: string, name: string, more = ''): Promise<void> {
  const opened = await openStream(api, `/stream/${name}?node=${set}${more}`, await api.token(user));
  const heard = opened.until('hello').catch(() => {});
  const last = await Promise.race([opened.ended, heard]);
  opened.socket.terminate();
  if (last === undefined) return;
  const { code = '', message } = last as { code?: string; message?: string };
  throw new ORPCError(code, { ...(message !== undefined && { message }) });
}

/** Alice's node, which says hello to whoever comes, and what she and others have. */
async function furnish(): Promise<void> {
  for (const user of ['alice', 'root', 'bob', 'carol', 'dave', 'erin'])
    await api.server.addImage(`${user}/mine`);
  await api.server.addImage('alice/other');
  await api.server.addImage('waltplatform/pc-x86-64-default');
  const { ip, console } = await api.node(set);
  for (const where of [console.socket, ip])
    port = await api.serve(where, (socket) => socket.on('error', () => {}).write('hello'));
  const alice = await api.client('alice');
  await alice.node.allow({ set, users: ['carol', 'erin'], groups: ['students'] });
}

function answerOf(error: unknown): Answer {
  assert.ok(error instanceof ORPCError, String(error));
  if (error.code === 'CONFIRM') return 'asked';
  assert.match(error.code, /^(FORBIDDEN|CONFLICT)$/, error.message);
  return / is a viewer of this platform/.test(error.message) ? 'role' : 'no';
}

for (const { act, try: attempt, expected } of rows) {
  describe(`to ${act}`, () => {
    for (const [who, user] of Object.entries(WHO) as [Who, string][]) {
      test(`${who}: ${expected[who]}`, async () => {
        await furnish();
        const client = await api.client(user);
        const answer = await attempt(client, user).then(() => 'yes' as const, answerOf);
        assert.equal(answer, expected[who]);
      });
    }
  });
}
