import { type AnyContractRouter, isContractProcedure } from '@orpc/contract';
import { type AnyRouter, implement, type Router } from '@orpc/server';
import { contract } from '@walt/contract';
import { type Caller, leastRole } from '../access/index.ts';
import { audited } from './audit.ts';
import { namingDiskUsers } from './disk-users.ts';
import type { Services } from './services.ts';

export interface CallContext {
  /** Bearer token of the request. */
  token: string | undefined;
  /** Counts the call as one of that user's. Throws BUSY. */
  enter(user: string): void;
  /** From where that user calls. */
  origin(caller: Caller): Promise<string>;
}

interface HandlerOptions {
  context: { caller: Caller };
  input: unknown;
  signal?: AbortSignal | undefined;
}

type Call = (caller: Caller, input: unknown, signal: AbortSignal) => Promise<unknown>;
type Calls = { [name: string]: Call & Calls };
/** oRPC's implementer: looks like the contract. */
type Bindable = { [name: string]: Bindable } & {
  handler(handler: (options: HandlerOptions) => Promise<unknown>): AnyRouter;
};

/** Binds each call of the contract to the one of its name that a domain offers. Only `auth` may be called by a stranger. */
export function createRouter(services: Services): Router<typeof contract, CallContext> {
  const { identity, calls, audit } = services;
  const open = implement(contract).$context<CallContext>();
  // Before the input is looked at.
  const known = open.use(async ({ context, path, next }, input) => {
    const caller = await identity.caller(context.token);
    context.enter(caller.user);
    const deed = {
      name: path.join('.'),
      least: leastRole(path),
      input,
      origin: () => context.origin(caller),
    };
    return await audited(audit, caller, deed, () =>
      namingDiskUsers(services, caller, () => next({ context: { caller } })),
    );
  });
  const { auth: _, ...others } = contract;
  // That there is a call for each, and of which types, is what `Services` says.
  const bound = bind(others, known as unknown as Bindable, calls as unknown as Calls);
  return {
    auth: {
      challenge: open.auth.challenge.handler(() => identity.challenge()),
      prove: open.auth.prove.handler(({ input }) => identity.prove(input.nonce)),
    },
    ...(bound as unknown as Omit<Router<typeof contract, CallContext>, 'auth'>),
  };
}

function bind(part: AnyContractRouter, at: Bindable, calls: Calls): AnyRouter {
  return Object.fromEntries(
    Object.entries(part).map(([name, inner]) => {
      const place = at[name] as Bindable;
      if (!isContractProcedure(inner)) return [name, bind(inner, place, calls[name] as Calls)];
      // oRPC gives each HTTP call a signal; calls without one (in-process) are never aborted.
      const handler = ({ context, input, signal = new AbortController().signal }: HandlerOptions) =>
        (calls[name] as Call)(context.caller, input, signal);
      return [name, place.handler(handler)];
    }),
  );
}
