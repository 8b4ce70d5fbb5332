/** A read-only TFTP server (RFC 1350). One of our own, since what a path means is chosen when a node asks. */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { createLog } from '../platform/index.ts';
import type { Download } from './boot-files.ts';
import {
  DEFAULT_BLOCK,
  dataPackets,
  ERROR,
  errorPacket,
  grantOptions,
  OPCODE,
  type Options,
  optionPacket,
  parseRequest,
  type TftpRequest,
} from './tftp-packets.ts';

const log = createLog('boot');

const MAX_TRANSFERS_OF_CLIENT = 64;
const MAX_TRANSFERS = 1000;

export interface TftpQuestion {
  ip: string;
  /** As the client wrote it: anything but NUL, 255 bytes at most, perhaps empty. */
  path: string;
}

/** Undefined: there is no such file. */
type Answer = (question: TftpQuestion) => Promise<Download | undefined>;

interface Retry {
  /** Milliseconds until unacknowledged packets are sent again: twice as many each time. */
  wait: number;
  /** How often they are sent at most. */
  tries: number;
}

type Client = Pick<RemoteInfo, 'address' | 'port'>;

interface Asked {
  client: Client;
  /** The request as it came. */
  packet: Buffer;
  request: TftpRequest;
}

export class TftpServer {
  readonly #answer: Answer;
  readonly #retry: Retry;
  readonly #socket = createSocket('udp4');
  /** Those that live, each with its end. */
  readonly #transfers = new Map<Transfer, Promise<void>>();

  constructor(answer: Answer, { wait = 1000, tries = 5 }: Partial<Retry> = {}) {
    this.#answer = answer;
    this.#retry = { wait, tries };
  }

  /** Resolves to the port: 0 asks the system for a free one. `address` is of IPv4. */
  async listen(address: string, port: number): Promise<number> {
    this.#socket.bind(port, address);
    await once(this.#socket, 'listening');
    this.#socket.on('error', (error) => log.error('TFTP socket failed', { error: String(error) }));
    this.#socket.on('message', (packet, client) => this.#receive(packet, client, address));
    return this.#socket.address().port;
  }

  /** Ends transfers too, and waits for answers that are being looked for. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(resolve));
    for (const transfer of this.#transfers.keys()) transfer.end(errorPacket(ERROR.other, 'server stops'));
    await Promise.all(this.#transfers.values());
  }

  #receive(packet: Buffer, client: Client, address: string): void {
    const request = parseRequest(packet);
    // A packet may say that it comes from port 0, but none can be sent there.
    if (request === undefined || client.port === 0) return;
    const refuse = (refusal: Buffer) => this.#socket.send(refusal, client.port, client.address);
    if (Buffer.isBuffer(request)) return void refuse(request);
    const ofClient = [...this.#transfers.keys()].filter(
      ({ asked }) => asked.client.address === client.address,
    );
    const former = ofClient.findLast(({ asked }) => asked.client.port === client.port);
    // Who asks again has missed the first packet, which comes again in its time. Who has had it was switched off meanwhile.
    if (former?.asked.packet.equals(packet) && !former.heard) return;
    if (ofClient.length >= MAX_TRANSFERS_OF_CLIENT || this.#transfers.size >= MAX_TRANSFERS) {
      return void refuse(errorPacket(ERROR.other, 'busy'));
    }
    // A loader that always uses one port has given up what it asked for before.
    former?.end();
    const transfer = new Transfer({ client, packet, request }, address, this.#retry);
    const end = transfer.run(this.#answer).finally(() => this.#transfers.delete(transfer));
    this.#transfers.set(transfer, end);
  }
}

/** One file on its way to one client, from a port of its own. */
class Transfer {
  readonly asked: Asked;
  /** Whether the client has acknowledged something. */
  heard = false;
  readonly #question: TftpQuestion;
  readonly #address: string;
  readonly #retry: Retry;
  readonly #socket = createSocket('udp4');
  /** Packets that are not acknowledged yet, oldest first. */
  readonly #window: Buffer[] = [];
  /** Number of the window's first block, which does not wrap. */
  #first = 1;
  /** Told whether something was acknowledged. */
  #wake: (acknowledged: boolean) => void = () => {};
  #stream: Readable | undefined;
  #ended = false;

  constructor(asked: Asked, address: string, retry: Retry) {
    this.asked = asked;
    this.#question = { ip: asked.client.address, path: asked.request.path };
    this.#address = address;
    this.#retry = retry;
  }

  /** Resolves when it has ended, however it did. */
  async run(answer: Answer): Promise<void> {
    await this.#open();
    if (this.#ended) return;
    try {
      const found = await answer(this.#question);
      if (found) await this.#deliver(found);
      else this.end(errorPacket(ERROR.notFound, 'no such file'));
    } catch (error) {
      if (this.#ended && this.#stream) return; // since `end` destroys it
      log.error('transfer failed', { ...this.#question, error: String(error) });
      this.end(errorPacket(ERROR.other, 'server error'));
    } finally {
      this.end();
    }
  }

  async #open(): Promise<void> {
    this.#socket.on('error', () => {}); // of a packet that could not leave: it counts as lost
    this.#socket.on('message', (packet, from) => this.#receive(packet, from));
    try {
      this.#socket.bind(0, this.#address);
      await once(this.#socket, 'listening');
    } catch (error) {
      log.error('transfer has no port', { ...this.#question, error: String(error) });
      this.end();
    }
  }

  /** Ends it, with a last packet for the client if there is one. */
  end(farewell?: Buffer): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream?.destroy();
    this.#wake(false);
    if (farewell) this.#send(farewell, () => this.#socket.close());
    else this.#socket.close();
  }

  async #deliver(file: Download): Promise<void> {
    const granted = grantOptions(this.asked.request.options, file.size);
    try {
      if (granted.size > 0) {
        // RFC 2347: it is acknowledged like a block 0.
        this.#first = 0;
        this.#window.push(optionPacket(granted));
        await this.#passWindow(granted);
      }
      if (!this.#ended) await this.#sendBlocks(file, granted);
    } finally {
      if (!this.#stream) await file.discard();
    }
  }

  async #sendBlocks(file: Download, granted: Options): Promise<void> {
    this.#stream = file.stream();
    const packets = dataPackets(this.#stream, granted.get('blksize') ?? DEFAULT_BLOCK);
    let complete = false;
    while (!this.#ended) {
      while (!complete && this.#window.length < (granted.get('windowsize') ?? 1)) {
        const next = await packets.next();
        if (next.done) complete = true;
        else this.#window.push(next.value);
      }
      if (this.#window.length === 0) return;
      await this.#passWindow(granted);
    }
  }

  /** Sends the window until some of it is acknowledged; ends the transfer when nothing is. */
  async #passWindow(granted: Options): Promise<void> {
    const { wait, tries } = this.#retry;
    // RFC 2349: what was agreed stays.
    const agreed = granted.get('timeout');
    for (let attempt = 0; attempt < tries && !this.#ended; attempt++) {
      for (const packet of this.#window) this.#send(packet);
      if (await this.#acknowledged(agreed ? agreed * 1000 : wait * 2 ** attempt)) return;
    }
    if (this.#ended) return;
    log.warn('client takes no more of a file', { ...this.#question });
    this.end();
  }

  /** False: not within `wait` milliseconds, or the transfer has ended. */
  async #acknowledged(wait: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, wait, false);
    return promise.finally(() => clearTimeout(timer));
  }

  #receive(packet: Buffer, { address, port }: Client): void {
    if (this.#ended) return;
    const opcode = packet.length < 4 ? undefined : packet.readUInt16BE(0);
    const { client } = this.asked;
    if (address !== client.address || port !== client.port) {
      // No error is answered by one: two transfers could do so for ever.
      if (port === 0 || opcode === OPCODE.error) return;
      this.#socket.send(errorPacket(ERROR.unknownPort, 'unknown transfer'), port, address);
      return;
    }
    if (opcode === OPCODE.acknowledgement) return void this.#acknowledge(packet.readUInt16BE(2));
    const broken = errorPacket(ERROR.illegalOperation, 'no acknowledgement');
    this.end(opcode === OPCODE.error ? undefined : broken);
  }

  /**
   * RFC 7440: a block inside the window tells that the ones behind it are lost. One before the window is
   * ignored: sending again would double every packet from then on (RFC 1123 section 4.2.3.1), and firmware of
   * the Raspberry Pi hangs on a block that comes twice.
   */
  #acknowledge(block: number): void {
    const passed = (block - this.#first + 1) & 0xffff;
    if (passed === 0 || passed > this.#window.length) return;
    this.#window.splice(0, passed);
    this.#first += passed;
    this.heard = true;
    this.#wake(true);
  }

  #send(packet: Buffer, sent?: () => void): void {
    this.#socket.send(packet, this.asked.client.port, this.asked.client.address, sent);
  }
}
