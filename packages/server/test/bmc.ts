/** A board's controller for tests: answers Redfish's requests (DSP0266) with resources as DSP0268 has them, over HTTPS. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { text } from 'node:stream/consumers';

export const BMC_USER = 'walt';
export const BMC_PASSWORD = 'a word: with colons';
const BASIC = `Basic ${Buffer.from(`${BMC_USER}:${BMC_PASSWORD}`).toString('base64')}`;

const SESSIONS = '/redfish/v1/SessionService/Sessions';

type Say = (status: number, body?: object, headers?: Record<string, string>) => void;

export interface BmcSystem {
  PowerState: string;
  /** Resets that it offers; null: it does not say. */
  offers: readonly string[] | null;
}

/** Answers in place of the service; false: it does not. */
export type Twist = (request: IncomingMessage, response: ServerResponse) => boolean;

export class PlayedBmc {
  readonly systems = new Map<string, BmcSystem>();
  /** `SYSTEM TYPE` of each reset. */
  readonly resets: string[] = [];
  /** Requests whose sender proved who he is. */
  proven = 0;
  /** Ways to prove it that it takes (DSP0266, "Authentication"). */
  logins: readonly ('basic' | 'session')[] = ['basic', 'session'];
  /** Sessions that are open, by their number. */
  readonly sessions = new Map<string, { token: string }>();
  /** How many there were. */
  opened = 0;
  /** Whether what a reset takes stands in an ActionInfo (DSP0266, "Action info") of its own. */
  actionInfo = false;
  twist: Twist = () => false;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  /** On a port of 127.0.0.1, with a certificate of files. */
  static async listen({ certificate, key }: { certificate: string; key: string }): Promise<PlayedBmc> {
    const server = createServer({ cert: await readFile(certificate), key: await readFile(key) });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new PlayedBmc(server);
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new TypeError('no port');
    return address.port;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.twist(request, response)) return;
    const say: Say = (status, body, more = {}) => {
      response
        .writeHead(status, { 'content-type': 'application/json', 'odata-version': '4.0', ...more })
        .end(body && JSON.stringify(body));
    };
    const path = request.url ?? '';
    if (path === '/redfish/v1/' && request.method === 'GET') return void say(200, this.#root());
    if (path === SESSIONS && request.method === 'POST' && this.logins.includes('session'))
      return void this.#open(JSON.parse(await text(request)), say);
    if (!this.#isProven(request)) return void say(401, problem('Base.1.8.NoValidSession', 'No.'));
    this.proven += 1;
    const [, session = ''] = path.startsWith(`${SESSIONS}/`) ? path.split(`${SESSIONS}/`) : [];
    if (request.method === 'DELETE') return void say(this.sessions.delete(session) ? 204 : 404);
    if (path === '/redfish/v1/Systems' && request.method === 'GET') return void say(200, this.#list());
    const [, id = '', rest = ''] = path.match(/^\/redfish\/v1\/Systems\/([^/]+)(\/.*)?$/) ?? [];
    const system = this.systems.get(id);
    if (!system) return void say(404, problem('Base.1.8.ResourceMissingAtURI', `There is no ${path}.`));
    if (rest === '' && request.method === 'GET') return void say(200, this.#system(id, system));
    if (rest === '/ResetActionInfo' && request.method === 'GET') return void say(200, info(system));
    if (rest !== '/Actions/ComputerSystem.Reset' || request.method !== 'POST') return void say(405);
    const { ResetType: type } = JSON.parse(await text(request)) as { ResetType: string };
    if (system.offers?.includes(type) === false)
      return void say(
        400,
        problem('Base.1.8.ActionParameterNotSupported', `The value ${type} is not supported.`),
      );
    // As iLO does it.
    if ((system.PowerState === 'Off') !== (type === 'On'))
      return void say(
        400,
        problem('iLO.2.14.InvalidOperationForSystemState', `Power is ${system.PowerState}.`),
      );
    this.resets.push(`${id} ${type}`);
    system.PowerState = type === 'ForceOff' ? 'Off' : 'On';
    say(204);
  }

  #isProven({ headers }: IncomingMessage): boolean {
    const token = headers['x-auth-token'];
    if (token !== undefined) return [...this.sessions.values()].some((session) => session.token === token);
    return this.logins.includes('basic') && headers.authorization === BASIC;
  }

  #open({ UserName: user, Password: password }: Record<string, unknown>, say: Say): void {
    if (user !== BMC_USER || password !== BMC_PASSWORD)
      return void say(401, problem('Base.1.8.ResourceAtUriUnauthorized', 'No.'));
    this.opened += 1;
    const [id, token] = [String(this.opened), randomUUID()];
    this.sessions.set(id, { token });
    const path = `${SESSIONS}/${id}`;
    const type = '#Session.v1_3_0.Session';
    const body = { '@odata.type': type, '@odata.id': path, Id: id, Name: 'User Session', UserName: user };
    say(201, body, { 'x-auth-token': token, location: path });
  }

  #root() {
    return {
      '@odata.type': '#ServiceRoot.v1_5_0.ServiceRoot',
      '@odata.id': '/redfish/v1/',
      ...{ Id: 'RootService', Name: 'Root Service', RedfishVersion: '1.6.0' },
      Systems: { '@odata.id': '/redfish/v1/Systems' },
      Links: { Sessions: { '@odata.id': SESSIONS } },
    };
  }

  #list() {
    const ids = [...this.systems.keys()];
    return {
      '@odata.type': '#ComputerSystemCollection.ComputerSystemCollection',
      '@odata.id': '/redfish/v1/Systems',
      Name: 'Computer System Collection',
      'Members@odata.count': ids.length,
      Members: ids.map((id) => ({ '@odata.id': `/redfish/v1/Systems/${id}` })),
    };
  }

  #system(id: string, { PowerState, offers }: BmcSystem) {
    const path = `/redfish/v1/Systems/${id}`;
    const told = this.actionInfo
      ? { '@Redfish.ActionInfo': `${path}/ResetActionInfo` }
      : offers && { 'ResetType@Redfish.AllowableValues': offers };
    return {
      '@odata.type': '#ComputerSystem.v1_10_0.ComputerSystem',
      '@odata.id': path,
      ...{ Id: id, Name: 'A board', SystemType: 'Physical', PowerState },
      Actions: { '#ComputerSystem.Reset': { target: `${path}/Actions/ComputerSystem.Reset`, ...told } },
    };
  }
}

function info({ offers }: BmcSystem) {
  return {
    '@odata.type': '#ActionInfo.v1_1_2.ActionInfo',
    ...{ Id: 'ResetActionInfo', Name: 'Reset Action Info' },
    Parameters: [{ Name: 'ResetType', Required: true, DataType: 'String', AllowableValues: offers }],
  };
}

function problem(MessageId: string, Message: string) {
  return { error: { code: MessageId, message: Message, '@Message.ExtendedInfo': [{ MessageId, Message }] } };
}
