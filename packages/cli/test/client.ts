/** The real client with a server of its own, for the tests of one file. */
import { after } from 'node:test';
import { type ServerOptions, startServer, type TestServer } from '../../server/test/server.ts';
import { Checkout } from './checkout.ts';

export interface TestClient {
  server: TestServer;
  checkout: Checkout;
}

/** Both are gone after the last test of the file. */
export async function openClient(options: ServerOptions = {}): Promise<TestClient> {
  const server = await startServer(options);
  const checkout = await Checkout.make(server.socket);
  after(async () => {
    checkout[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });
  return { server, checkout };
}
