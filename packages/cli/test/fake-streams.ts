/** The contract's WebSockets: an sshd for a node, `cat` for a console, a real shell on a real pty for an image. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ClientFrame, type JobEvent, jobChannels, type ServerFrame, streams } from '@walt/contract';
import { extract } from 'tar-stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { FakeWorld } from './fake-server.ts';
import { fakeDigest } from './fixtures.ts';

export class FakeStreams {
  readonly #world: FakeWorld;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #children = new Set<ChildProcess>();

  constructor(world: FakeWorld) {
    this.#world = world;
  }

  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    this.#sockets.handleUpgrade(request, connection, head, (socket) => {
      const token = request.headers.authorization?.replace(/^Bearer /, '');
      if (!this.#world.auth.accepts(token)) {
        refuse(socket, 'UNAUTHENTICATED', 'Your sign-in has run out.');
      } else this.#serve(socket, new URL(request.url ?? '/', 'http://walt'));
    });
  }

  #serve(socket: WebSocket, url: URL): void {
    const name = url.searchParams.get('node');
    const node = this.#world.nodes.find((one) => one.name === name);
    const job = url.searchParams.get('job');
    if (job !== null && job.length > 16) this.#imageBuild(socket);
    else if (job !== null) this.#imageShell(socket, url);
    else if (node === undefined) refuse(socket, 'NOT_FOUND', `There is no node named ${name}.`);
    else if (node.state !== 'booted') refuse(socket, 'UNAVAILABLE', `Node ${name} is off.`);
    else if (url.pathname === streams.tcp.path) {
      this.#join(socket, spawn('/usr/sbin/sshd', ['-i', '-f', this.#world.ssh.configFile]));
    } else {
      socket.send(Buffer.from('login: '));
      this.#join(socket, spawn('cat'));
    }
  }

  /** A build that prints the names of what it is sent, and ends as the test wants. */
  #imageBuild(socket: WebSocket): void {
    const pieces: Buffer[] = [];
    const say = (event: JobEvent) => socket.send(`\0${JSON.stringify(event)}`, { binary: true });
    socket.on('message', async (data: Buffer, isBinary: boolean) => {
      if (isBinary) {
        pieces.push(data);
        return;
      }
      const names = await tarNames(Buffer.concat(pieces));
      socket.send(`\x01${names.join(' ')}\n`, { binary: true });
      const { buildError } = this.#world;
      if (buildError !== undefined) {
        refuse(socket, 'EXTERNAL', buildError);
        return;
      }
      const saved = { image: 'alice/exp', digest: fakeDigest, changed: true, nodes: ['vnode1'] };
      socket.send(JSON.stringify({ type: 'exit', status: 0, saved } satisfies ServerFrame));
      socket.close();
    });
    say({ type: 'ready' });
  }

  #imageShell(socket: WebSocket, url: URL): void {
    const session = this.#world.sessions.find(({ id }) => id === url.searchParams.get('job'));
    if (session === undefined) {
      refuse(socket, 'NOT_FOUND', 'There is no such session.');
      return;
    }
    const [columns, rows] = ['columns', 'rows'].map((key) => Number(url.searchParams.get(key)));
    this.#world.tellSize({ columns: columns ?? 0, rows: rows ?? 0 });
    session.attached = true;
    // Set by the command: the shell that script(1) starts it with would drop a PS1 of the environment.
    const command = "PS1='image# ' exec bash --norc --noprofile";
    const shell = spawn('script', ['-qefc', command, '/dev/null']);
    this.#join(socket, shell, (status) => {
      session.state = 'exited';
      return { type: 'exit', status };
    });
    socket.on('close', () => {
      session.attached = false;
    });
  }

  #join(socket: WebSocket, child: ChildProcess, lastFrame?: (status: number) => ServerFrame): void {
    this.#children.add(child);
    // Jobs have their channel in front.
    const head = Buffer.from(lastFrame ? [jobChannels.stdout] : []);
    child.stdout?.on('data', (bytes: Buffer) => socket.send(Buffer.concat([head, bytes])));
    child.stdin?.on('error', () => {});
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) {
        child.stdin?.write(data);
        return;
      }
      const frame = JSON.parse(data.toString()) as ClientFrame;
      if (frame.type === 'end') child.stdin?.end();
      else this.#world.tellSize({ columns: frame.columns, rows: frame.rows });
    });
    socket.on('close', () => child.kill());
    child.on('close', (status) => {
      this.#children.delete(child);
      if (lastFrame) socket.send(JSON.stringify(lastFrame(status ?? 1)));
      socket.close();
    });
  }

  /** As when the server dies: connections break without a word. */
  breakAll(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  close(): void {
    this.breakAll();
    for (const child of this.#children) child.kill();
  }
}

async function tarNames(tar: Buffer): Promise<string[]> {
  const names: string[] = [];
  const entries = extract();
  entries.end(tar);
  for await (const entry of entries) {
    names.push(entry.header.name);
    entry.resume();
  }
  return names;
}

function refuse(socket: WebSocket, code: string, message: string): void {
  socket.send(JSON.stringify({ type: 'error', code, message, hint: 'Look again.' } satisfies ServerFrame));
  socket.close();
}
