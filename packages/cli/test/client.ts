/** The real client with a server of its own, for the tests of one file. */
import { after } from 'node:test';
import { Checkout } from './checkout.ts';
import { FakeServer } from './fake-server.ts';

export interface TestClient {
  server: FakeServer;
  checkout: Checkout;
}

/** Both are gone after the last test of the file. */
export async function openClient(): Promise<TestClient> {
  const server = await FakeServer.start();
  const checkout = await Checkout.make(server.socket);
  after(async () => {
    checkout[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });
  return { server, checkout };
}
