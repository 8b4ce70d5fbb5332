import { randomBytes } from 'node:crypto';
import { implement, ORPCError } from '@orpc/server';
import { contract, type ErrorCode, errors, type Node } from '@walt/contract';
import type { FakeWorld } from './fake-server.ts';
import { fakeDigest } from './fixtures.ts';

export const USER = 'alice';

export function fail(code: ErrorCode, message: string, hint = 'Do something else.'): never {
  throw new ORPCError(code, { status: errors[code].status, message, data: { hint } });
}

export function makeRouter(world: FakeWorld) {
  const base = implement(contract).$context<{ token: string | undefined }>();
  const signedIn = base.use(({ context, path, next }, input) => {
    if (!world.auth.accepts(context.token)) fail('UNAUTHENTICATED', 'Your sign-in has run out.');
    const name = path.join('.');
    world.calls.push([name, input]);
    const question = world.confirm.get(name);
    const agreed = (input as { yes?: boolean } | undefined)?.yes === true;
    if (question !== undefined && !agreed) fail('CONFIRM', question, 'Repeat with yes.');
    return next();
  });
  const { node, image, registry, server, device, access } = signedIn;
  const set = (text: string) => nodesOfSet(world, text);
  const names = (text: string) => ({ nodes: set(text).map(({ name }) => name) });
  const find = (reference: string) => findImage(world, reference);
  const session = (id: string) =>
    world.sessions.find((one) => one.id === id) ?? fail('NOT_FOUND', 'There is no such session.');

  return base.router({
    auth: {
      challenge: base.auth.challenge.handler(() => world.auth.challenge()),
      prove: base.auth.prove.handler(({ input }) => ({
        token: world.auth.prove(input.nonce),
        user: USER,
        expires: 2_000_000_000,
      })),
    },
    server: {
      status: server.status.handler(() => ({
        version: '11.0.0',
        uptime: 3700,
        user: USER,
        configFile: null,
        stateFolder: '/var/lib/walt',
        namespace: 'walt',
        network: { subnet: '10.73.0.0/16', server: '10.73.0.1' },
        accelerator: 'tcg' as const,
        unguarded: null,
        memory: 90_000_000,
        files: { open: 30, limit: 65_536 },
        supervised: true,
        crashes: { count: 2, last: { at: 1_800_000_000, reason: 'killed by signal 9' } },
        programs: [{ name: 'dnsmasq', pid: 4242, state: 'running' as const, restarts: 0 }],
      })),
    },
    device: {
      list: device.list.handler(() =>
        world.nodes.map(({ name, ip, mac }) => ({ name, ip, mac, type: 'node' })),
      ),
    },
    access: {
      certify: access.certify.handler(({ input }) => {
        for (const name of input.nodes) set(name);
        return world.ssh.certify(input.publicKey, input.nodes);
      }),
    },
    node: {
      list: node.list.handler(({ input }) => set(input.set)),
      create: node.create.handler(({ input }) => {
        const [sample] = world.nodes;
        if (sample === undefined) throw new Error('a test that creates nodes needs a sample');
        const made: Node = { ...sample, name: input.name, state: 'booting' };
        world.nodes.push(made);
        return made;
      }),
      remove: node.remove.handler(({ input }) => names(input.set)),
      boot: node.boot.handler(({ input }) => ({
        ...names(input.set),
        image: `${USER}/${input.image}`,
        digest: fakeDigest,
      })),
      reboot: node.reboot.handler(({ input }) => names(input.set)),
      acquire: node.acquire.handler(({ input }) => names(input.set)),
      release: node.release.handler(({ input }) => names(input.set)),
      rename: node.rename.handler(({ input }) => {
        const [one] = set(input.name);
        if (one === undefined) throw new Error('no node');
        return { ...one, name: input.newName };
      }),
      wait: node.wait.handler(async function* ({ input }) {
        const nodes = set(input.set);
        const total = nodes.length;
        yield {
          type: 'progress' as const,
          step: 'Waiting for nodes to boot',
          done: 0,
          total,
          unit: 'nodes' as const,
        };
        if (input.timeout === 1) fail('TIMEOUT', `${input.set} did not boot within 1 s.`);
        for (const one of nodes) one.state = 'booted';
        yield { type: 'result' as const, value: { nodes: nodes.map(({ name }) => name) } };
      }),
      ping: node.ping.handler(async function* ({ input }) {
        yield { type: 'line' as const, line: `PING ${input.name} ${input.count}` };
        yield { type: 'exit' as const, status: 1 };
      }),
    },
    registry: {
      list: registry.list.handler(() => world.registries),
      login: registry.login.handler(({ input }) => ({ registry: input.registry, username: input.username })),
      logout: registry.logout.handler(({ input }) => ({ registry: input.registry, username: USER })),
    },
    image: {
      list: image.list.handler(({ input }) => world.images.filter((one) => input.all || one.owner === USER)),
      get: image.get.handler(({ input }) => find(input.image)),
      duplicate: image.duplicate.handler(({ input }) => ({
        ...find(input.image.split('@')[0] ?? ''),
        name: input.newName,
      })),
      rename: image.rename.handler(({ input }) => ({ ...find(input.image), name: input.newName })),
      remove: image.remove.handler(({ input }) => {
        const { name, size } = find(input.image);
        return { removed: name, keepDays: 7, size };
      }),
      squash: image.squash.handler(async function* ({ input }) {
        yield { type: 'progress' as const, step: 'Reading the image' };
        const { fullName, nodes } = find(input.image);
        const own = input.newName === undefined;
        const value = { image: own ? fullName : `${USER}/${input.newName}`, nodes: own ? nodes : [] };
        yield {
          type: 'result' as const,
          value: { ...value, digest: fakeDigest, changed: input.newName !== 'flat' },
        };
      }),
      details: image.details.handler(({ input }) => ({
        ...{
          disk: 500_000_000,
          shared: 400_000_000,
          versions: 2,
          outdated: find(input.image).nodes.slice(1),
        },
        stack: [
          {
            ...{ digest: fakeDigest, size: 1_000_000, volume: null, shared: false },
            made: { action: 'cp', user: USER, at: 1_790_000_000, detail: '/etc/\u001b[31mx' },
          },
          { digest: fakeDigest, size: null, volume: 1, made: null, shared: true },
        ],
      })),
      log: image.log.handler(({ input }) => {
        find(input.image);
        return world.steps;
      }),
      diff: image.diff.handler(async function* ({ input }) {
        yield { type: 'progress' as const, step: 'Comparing' };
        const side = { image: find(input.image.split('@')[0] ?? '').fullName, digest: fakeDigest };
        yield { type: 'result' as const, value: { from: side, to: side, changes: world.changes } };
      }),
      undo: image.undo.handler(({ input }) => {
        const { fullName, nodes } = find(input.image);
        const undone = { action: 'shell', user: USER, at: 1_790_000_000, detail: '' };
        return { image: fullName, digest: fakeDigest, previous: fakeDigest, undone, nodes };
      }),
      prune: image.prune.handler(async function* ({ input }) {
        const version = { digest: fakeDigest, image: `${USER}/debian`, left: 1_790_000_000, size: 5_000_000 };
        const removed = input.dryRun ? [version, { ...version, image: null, left: null }] : [version];
        yield {
          type: 'result' as const,
          value: { removed, size: 5_000_000, keepVersions: 10, keepDays: 7 },
        };
      }),
      search: image.search.handler(async function* () {
        yield { type: 'result' as const, value: { found: world.found, failed: world.failed } };
      }),
      clone: image.clone.handler(async function* ({ input }) {
        yield { type: 'progress' as const, step: 'Fetching', done: 1, total: 2, unit: 'bytes' as const };
        const name = input.name ?? 'cloned';
        yield {
          type: 'result' as const,
          value: {
            ...{ image: `${USER}/${name}`, digest: fakeDigest, architecture: 'amd64' as const },
            ...{ source: `lab:exp@${fakeDigest}`, nodes: [] },
          },
        };
      }),
      publish: image.publish.handler(async function* ({ input }) {
        const link = `${input.registry ?? 'lab'}:${USER}/${input.image}`;
        const value = { link: `${link}:latest`, source: `${link}@${fakeDigest}`, digest: fakeDigest };
        yield { type: 'result' as const, value };
      }),
      makeDefault: image.makeDefault.handler(async function* () {
        for (const done of [0, 50, 100]) {
          yield { type: 'progress' as const, step: 'Installing packages', done, unit: 'percent' as const };
        }
        yield {
          type: 'result' as const,
          value: { image: 'waltplatform/default', digest: fakeDigest, made: true },
        };
      }),
      build: {
        open: image.build.open.handler(({ input }) => {
          if (input.dockerfile.includes('nonsense'))
            fail('INVALID', `${input.file}:1: there is no such thing.`);
          return { job: '1'.repeat(32) };
        }),
      },
      run: { open: image.run.open.handler(() => ({ job: '2'.repeat(32) })) },
      cross: {
        open: image.cross.open.handler(async function* ({ input }) {
          if (input.name === 'taken' && !input.yes) fail('CONFIRM', 'You have an image taken already.');
          const value = { job: '0'.repeat(32), architecture: 'arm64' as const, ownLibrary: true };
          yield { type: 'result' as const, value };
        }),
      },
      shell: {
        list: image.shell.list.handler(({ input }) =>
          world.sessions
            .filter((one) => input.image === undefined || one.image === find(input.image).fullName)
            .map((one) => describeSession(world, one)),
        ),
        open: image.shell.open.handler(({ input }) => {
          const { fullName } = find(input.image);
          if (world.sessions.some((one) => one.image === fullName)) {
            fail('CONFLICT', `You have a shell session on image "${fullName}" already.`);
          }
          const opened = {
            id: randomBytes(8).toString('hex'),
            image: fullName,
            state: 'running' as const,
            attached: false,
            changes: { added: 0, modified: 0, deleted: 0, sample: [] },
          };
          world.sessions.push(opened);
          return describeSession(world, opened);
        }),
        changes: image.shell.changes.handler(({ input }) => {
          const one = session(input.session);
          return { lost: [], note: null, refusal: null, ...one.changes, nodes: find(one.image).nodes };
        }),
        save: image.shell.save.handler(async function* ({ input }) {
          const one = session(input.session);
          yield { type: 'progress' as const, step: 'Saving' };
          if (input.name === 'taken') fail('CONFLICT', 'The name taken is taken.');
          world.sessions = world.sessions.filter(({ id }) => id !== one.id);
          const name = input.name === undefined ? one.image : `${USER}/${input.name}`;
          const nodes = input.name === undefined ? find(one.image).nodes : [];
          yield { type: 'result' as const, value: { image: name, digest: fakeDigest, changed: true, nodes } };
        }),
        discard: image.shell.discard.handler(({ input }) => {
          world.sessions = world.sessions.filter(({ id }) => id !== input.session);
          return { discarded: input.session };
        }),
      },
    },
  });
}

function nodesOfSet(world: FakeWorld, text: string): Node[] {
  const chosen = text.split(',').flatMap((word) => {
    if (word === 'all-nodes') return world.nodes;
    if (word === 'my-nodes') return world.nodes.filter(({ owner }) => owner === USER);
    if (word === 'free-nodes') return world.nodes.filter(({ owner }) => owner === null);
    const found = world.nodes.find(({ name }) => name === word);
    return [
      found ?? fail('NOT_FOUND', `There is no node named ${word}.`, '`walt node show --all` lists them.'),
    ];
  });
  return chosen;
}

function findImage(world: FakeWorld, reference: string) {
  const full = reference.includes('/') ? reference : `${USER}/${reference}`;
  return (
    world.images.find(({ fullName }) => fullName === full) ??
    fail('NOT_FOUND', `There is no image named ${full}.`, '`walt image show` lists them.')
  );
}

function describeSession(world: FakeWorld, { id, image, state, attached }: FakeWorld['sessions'][number]) {
  const { architecture } = findImage(world, image);
  return {
    id,
    image,
    architecture,
    emulated: architecture !== 'amd64',
    init: false,
    state,
    attached,
    opened: 1_790_000_000,
  };
}
