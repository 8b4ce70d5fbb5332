import { ORPCError } from '@orpc/server';
import { RPCHandler } from '@orpc/server/node';
import { toApiError, unreadableRequest } from '../errors.ts';
import { isAsyncIterable } from '../events.ts';
import { type CallContext, createRouter } from '../router.ts';
import type { Services } from '../services.ts';

/** The contract's calls as an HTTP handler; every failure leaves it as an error of the contract, with its hint. */
export function createRpcHandler(services: Services): RPCHandler<CallContext> {
  const { log } = services;
  return new RPCHandler(createRouter(services), {
    // Around decoding and the call: what is no ORPCError here comes from a request that cannot be read.
    interceptors: [
      async (options) => {
        try {
          return await options.next();
        } catch (error) {
          if (options.request.signal?.aborted) throw error;
          throw error instanceof ORPCError ? error : toApiError(unreadableRequest(), log);
        }
      },
    ],
    // Around each call, inside oRPC's check against the contract's errors.
    clientInterceptors: [
      async (options) => {
        // Nobody listens to an aborted call, and what was aborted is no mistake of ours.
        const translate = (error: unknown) => (options.signal?.aborted ? error : toApiError(error, log));
        try {
          const output = await options.next();
          return isAsyncIterable(output) ? translated(output, translate) : output;
        } catch (error) {
          throw translate(error);
        }
      },
    ],
  });
}

/** The same events, with the failure translated. Leaving it early ends `events`, too. */
async function* translated(
  events: AsyncIterable<unknown>,
  translate: (error: unknown) => unknown,
): AsyncGenerator<unknown, void, void> {
  try {
    yield* events;
  } catch (error) {
    throw translate(error);
  }
}
