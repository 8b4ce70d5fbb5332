/** The real client with a server of its own, for the tests of one file. */
import { after } from 'node:test';
import { type ServerOptions, startServer, type TestServer } from '../../server/test/server.ts';
import { Checkout } from './checkout.ts';
import { FakeServer } from './fake-server.ts';

export interface TestClient<Server = TestServer> {
  server: Server;
  checkout: Checkout;
}

/** Both are gone after the last test of the file. */
export async function openClient(options: ServerOptions = {}): Promise<TestClient> {
  return await withCheckout(await startServer(options));
}

export async function openFakeClient(): Promise<TestClient<FakeServer>> {
  return await withCheckout(await FakeServer.start());
}

async function withCheckout<Server extends AsyncDisposable & { socket: string }>(
  server: Server,
): Promise<TestClient<Server>> {
  const checkout = await Checkout.make(server.socket);
  after(async () => {
    checkout[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });
  return { server, checkout };
}
