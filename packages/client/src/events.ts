/** Event iterators (server-sent events), loaded only by calls that stream. */
import type { IncomingMessage } from 'node:http';
import { toEventIterator } from '@orpc/standard-server-node';
import type { Route } from './transport.ts';

/** Events of a response as oRPC's codec expects them; a broken connection ends them with AbortError. */
export async function* readEvents(response: IncomingMessage, route: Route): AsyncGenerator<unknown, unknown> {
  const events = toEventIterator(response);
  try {
    for (;;) {
      const event = await nextEvent(events, route);
      if (event.done) return event.value;
      yield event.value;
    }
  } finally {
    response.destroy();
  }
}

async function nextEvent(events: AsyncIterator<unknown>, route: Route) {
  try {
    return await events.next();
  } catch (error) {
    throw error instanceof Error ? route.failure(error) : error;
  }
}
