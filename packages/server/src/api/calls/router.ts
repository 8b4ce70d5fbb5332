import { implement } from '@orpc/server';
import { contract, PLATFORM_OWNER } from '@walt/contract';
import type { Caller } from '../../access/index.ts';
import type { Services } from '../services.ts';
import { buildCalls } from './build-calls.ts';
import { crossCalls } from './cross-calls.ts';
import { historyCalls } from './history-calls.ts';
import { imageCalls } from './image-calls.ts';
import { requireNode } from './node-access.ts';
import { imagesElsewhere, registryCalls } from './registry-calls.ts';

export interface CallContext {
  /** Bearer token of the request. */
  token: string | undefined;
  /** Counts the call as one of that user's. Throws BUSY. */
  enter(user: string): void;
}

interface HandlerOptions<Input> {
  context: { caller: Caller };
  input: Input;
  signal?: AbortSignal | undefined;
}

/** Implements each call of the contract with the service that answers it. Only `auth` may be called by a stranger. */
export function createRouter(services: Services) {
  const { identity, nodes, ssh } = services;
  const images = { ...imageCalls(services), ...imagesElsewhere(services), ...historyCalls(services) };
  const registries = registryCalls(services);
  const cross = crossCalls(services);
  const build = buildCalls(services);
  const open = implement(contract).$context<CallContext>();
  const known = open.use(async ({ context, next }) => {
    const caller = await identity.caller(context.token);
    context.enter(caller.user);
    return next({ context: { caller } });
  });

  return open.router({
    auth: {
      challenge: open.auth.challenge.handler(() => identity.challenge()),
      prove: open.auth.prove.handler(({ input }) => identity.prove(input.nonce)),
    },
    server: {
      status: known.server.status.handler(async ({ context }) => ({
        ...(await services.status()),
        user: context.caller.user,
      })),
    },
    node: {
      list: known.node.list.handler(call((...args) => nodes.list(...args))),
      create: known.node.create.handler(call((...args) => nodes.create(...args))),
      remove: known.node.remove.handler(call((...args) => nodes.remove(...args))),
      boot: known.node.boot.handler(call((...args) => nodes.boot(...args))),
      reboot: known.node.reboot.handler(call((...args) => nodes.reboot(...args))),
      acquire: known.node.acquire.handler(call((...args) => nodes.acquire(...args))),
      release: known.node.release.handler(call((...args) => nodes.release(...args))),
      rename: known.node.rename.handler(call((...args) => nodes.rename(...args))),
      wait: known.node.wait.handler(call((...args) => nodes.wait(...args))),
      ping: known.node.ping.handler(call((...args) => nodes.ping(...args))),
    },
    image: {
      list: known.image.list.handler(call(images.list)),
      get: known.image.get.handler(call(images.get)),
      duplicate: known.image.duplicate.handler(call(images.duplicate)),
      rename: known.image.rename.handler(call(images.rename)),
      remove: known.image.remove.handler(call(images.remove)),
      squash: known.image.squash.handler(call(images.squash)),
      details: known.image.details.handler(call(images.details)),
      log: known.image.log.handler(call(images.log)),
      diff: known.image.diff.handler(call(images.diff)),
      undo: known.image.undo.handler(call(images.undo)),
      prune: known.image.prune.handler(call(images.prune)),
      search: known.image.search.handler(call(images.search)),
      clone: known.image.clone.handler(call(images.clone)),
      publish: known.image.publish.handler(call(images.publish)),
      makeDefault: known.image.makeDefault.handler(call(images.makeDefault)),
      build: { prepare: known.image.build.prepare.handler(call(build.prepare)) },
      cross: { prepare: known.image.cross.prepare.handler(call(cross.prepare)) },
      shell: {
        list: known.image.shell.list.handler(call(images.shell.list)),
        open: known.image.shell.open.handler(call(images.shell.open)),
        changes: known.image.shell.changes.handler(call(images.shell.changes)),
        save: known.image.shell.save.handler(call(images.shell.save)),
        discard: known.image.shell.discard.handler(call(images.shell.discard)),
      },
    },
    registry: {
      list: known.registry.list.handler(call(registries.list)),
      login: known.registry.login.handler(call(registries.login)),
      logout: known.registry.logout.handler(call(registries.logout)),
    },
    device: { list: known.device.list.handler(() => services.devices()) },
    access: {
      certify: known.access.certify.handler(async ({ context: { caller }, input }) => {
        const found = await Promise.all([...new Set(input.nodes)].map((name) => nodes.find(name)));
        for (const node of found) requireNode(caller, node);
        const aliases = await Promise.all(
          found.map(({ id, owner }) => ssh.nodeAlias({ id, owner: owner ?? PLATFORM_OWNER })),
        );
        const { certificate, expires } = await ssh.certifyUser(input.publicKey, aliases, caller.user);
        return {
          certificate,
          expires,
          knownHosts: ssh.knownHosts(),
          hostKeyAliases: Object.fromEntries(found.map(({ name }, index) => [name, aliases[index] ?? ''])),
        };
      }),
    },
  });
}

/** A service's method as oRPC's handler. */
function call<Input, Output>(
  method: (caller: Caller, input: Input, signal: AbortSignal) => Promise<Output>,
): (options: HandlerOptions<Input>) => Promise<Output> {
  // oRPC gives each HTTP call a signal; calls without one (in-process) are never aborted.
  return ({ context, input, signal }) =>
    method(context.caller, input, signal ?? new AbortController().signal);
}
