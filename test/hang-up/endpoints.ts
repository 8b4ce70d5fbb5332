/** All that the server answers to clients, as the contract tells it: nothing is listed by hand. */
import { isContractProcedure } from '@orpc/contract';
import { contract, plain, RPC_PREFIX, streams } from '@walt/contract';
import * as z from 'zod';

export interface Endpoint {
  /** As the test reports it. */
  name: string;
  method: string;
  path: string;
  /** True: the request asks for a WebSocket. */
  upgrade: boolean;
  /** What goes into the query, and into the body as JSON; without the latter, the body is free. */
  query?: z.core.$ZodType;
  json?: z.core.$ZodType;
  /** Asked first: its answer has the id that this one takes. */
  opener?: Endpoint;
}

export function endpoints(): Endpoint[] {
  const all = calls(contract, []);
  const openers = all.filter(({ name }) => name.endsWith('.open'));
  return [
    ...all,
    ...Object.entries(streams).flatMap(([name, { path, query }]): Endpoint[] => {
      const stream = { name: `stream ${name}`, method: 'GET', path, query, upgrade: true };
      if (name !== 'job') return [stream];
      // Each kind of job is something else behind the same stream.
      return openers.map((opener) => ({ ...stream, name: `${stream.name} of ${opener.name}`, opener }));
    }),
    ...Object.entries(plain).flatMap(([name, { path, query }]) =>
      ['GET', 'PUT'].map((method) => ({ name: `${method} ${name}`, method, path, query, upgrade: false })),
    ),
  ];
}

function calls(router: unknown, path: readonly string[]): Endpoint[] {
  if (isContractProcedure(router)) {
    const name = path.join('.');
    const json = (router['~orpc'].inputSchema as z.core.$ZodType | undefined) ?? z.object({});
    return [{ name, method: 'POST', path: `${RPC_PREFIX}/${path.join('/')}`, json, upgrade: false }];
  }
  if (typeof router !== 'object' || router === null) return [];
  return Object.entries(router).flatMap(([name, inner]) => calls(inner, [...path, name]));
}
