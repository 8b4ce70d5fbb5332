/** A session of a Redfish service (DSP0266, "Redfish session login authentication"). Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import { RedfishError } from './protocol.ts';
import { idIn, isResource, type Resource } from './resource.ts';

export interface Session {
  token: string;
  /** Where it is ended; undefined: the service does not say. */
  path: string | undefined;
}

/** Where sessions are opened if the root does not say. */
const SESSIONS = '/redfish/v1/SessionService/Sessions';
/** As a header can carry it. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

/** Where sessions are opened. */
export function sessionsOf(root: Resource | undefined): unknown {
  const links = root?.Links;
  return (isResource(links) ? idIn(links.Sessions) : undefined) ?? SESSIONS;
}

/** What an answer has opened. Throws RedfishError when it has not. */
export function sessionOf(headers: IncomingHttpHeaders, body: Resource | undefined): Session {
  const token = headers['x-auth-token'];
  if (typeof token !== 'string' || !TOKEN.test(token))
    throw new RedfishError('absurd', 'opens a session without a token.');
  const place = headers.location ?? idIn(body);
  // It may be a whole URL. Whatever host that names, only this service is asked.
  const url = typeof place === 'string' ? URL.parse(place, 'https://service') : null;
  return { token, path: url?.pathname };
}
