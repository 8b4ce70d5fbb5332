/** As when a server dies while somebody talks to it. */
import { connect, createServer, type Socket } from 'node:net';

/** Stands in front of the server whose socket is `behind`, and cuts what it answers. */
export class Cut implements AsyncDisposable {
  readonly path: string;
  readonly #behind: string;
  readonly #listener;
  readonly #open = new Set<Socket>();
  #dead = false;

  private constructor(behind: string, path: string, whole: number, bytes: number) {
    this.#behind = behind;
    this.path = path;
    let connections = 0;
    this.#listener = createServer((client) => {
      if (this.#dead) return void client.destroy();
      connections += 1;
      this.#relay(client, connections > whole ? bytes : Number.POSITIVE_INFINITY);
    });
  }

  /** As when the server dies in the end. */
  cut(): void {
    this.#dead = true;
    for (const socket of this.#open) socket.destroy();
  }

  /** Lets so many connections through as a whole, and so many bytes of the answer on those after them. */
  static async open(behind: string, path: string, whole: number, bytes: number): Promise<Cut> {
    const cut = new Cut(behind, path, whole, bytes);
    await new Promise<void>((resolve) => cut.#listener.listen(path, resolve));
    return cut;
  }

  #relay(client: Socket, bytes: number): void {
    const behind = connect(this.#behind);
    let left = bytes;
    for (const [socket, other] of [
      [client, behind],
      [behind, client],
    ] as const) {
      this.#open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => other.destroy());
    }
    client.on('data', (chunk) => {
      behind.write(chunk);
      if (left === 0) client.destroy();
    });
    behind.on('data', (chunk: Buffer) => {
      client.write(chunk.subarray(0, left), () => {
        if (left === 0) client.destroy();
      });
      left = Math.max(0, left - chunk.length);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}
