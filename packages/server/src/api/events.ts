/** Whether a call answers events: it goes on until these have ended. */
export function isAsyncIterable(output: unknown): output is AsyncIterable<unknown> {
  return typeof output === 'object' && output !== null && Symbol.asyncIterator in output;
}
