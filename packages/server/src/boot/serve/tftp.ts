/** A read-only TFTP server (RFC 1350). One of our own, since what a path means is chosen when a node asks. */
import type { Readable } from 'node:stream';
import { createLog, type Peer, rarely, UdpPort } from '../../platform/index.ts';
import type { Download } from '../boot-files.ts';
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
const warn = rarely(log.warn);
const complain = rarely(log.error);

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

interface Asked {
  client: Peer;
  /** The request as it came. */
  packet: Buffer;
  request: TftpRequest;
}

export class TftpServer {
  readonly #answer: Answer;
  readonly #retry: Retry;
  #port: UdpPort | undefined;
  /** Those that live, each with its end. */
  readonly #transfers = new Map<Transfer, Promise<void>>();

  constructor(answer: Answer, { wait = 1000, tries = 5 }: Partial<Retry> = {}) {
    this.#answer = answer;
    this.#retry = { wait, tries };
  }

  /** Resolves to the port: 0 asks the system for a free one. `address` is of IPv4. */
  async listen(address: string, port: number): Promise<number> {
    const receive = (packet: Buffer, client: Peer) => this.#receive(packet, client, address);
    this.#port = await UdpPort.open({ name: 'TFTP', log, address, port, receive });
    return this.#port.port;
  }

  /** Ends transfers too, and waits for answers that are being looked for. */
  async close(): Promise<void> {
    await this.#port?.close();
    for (const transfer of this.#transfers.keys()) transfer.end(errorPacket(ERROR.other, 'server stops'));
    await Promise.all(this.#transfers.values());
  }

  #receive(packet: Buffer, client: Peer, address: string): void {
    const request = parseRequest(packet);
    if (request === undefined) return;
    const refuse = (refusal: Buffer) => this.#port?.send(refusal, client);
    if (Buffer.isBuffer(request)) return void refuse(request);
    const ofClient = [...this.#transfers.keys()].filter(
      ({ asked }) => asked.client.address === client.address,
    );
    const former = ofClient.findLast(({ asked }) => asked.client.port === client.port);
    // Who asks again has missed the first packet, which comes again in its time. Who has had it was switched off meanwhile.
    if (former?.asked.packet.equals(packet) && !former.heard) return;
    if (ofClient.length >= MAX_TRANSFERS_OF_CLIENT || !this.#makeRoom()) {
      return void refuse(errorPacket(ERROR.other, 'busy'));
    }
    // A loader that always uses one port has given up what it asked for before.
    former?.end();
    const transfer = new Transfer({ client, packet, request }, address, this.#retry);
    const end = transfer.run(this.#answer).finally(() => this.#transfers.delete(transfer));
    this.#transfers.set(transfer, end);
  }

  /** In a full house, the oldest transfer of which nothing was ever acknowledged gives way: its client may be made up. */
  #makeRoom(): boolean {
    if (this.#transfers.size < MAX_TRANSFERS) return true;
    const silent = this.#transfers.keys().find(({ heard }) => !heard);
    if (!silent) return false;
    silent.end(errorPacket(ERROR.other, 'busy'));
    this.#transfers.delete(silent);
    return true;
  }
}

/** Milliseconds that all tries take together. */
function patience({ wait, tries }: Retry): number {
  return wait * (2 ** tries - 1);
}

/** One file on its way to one client, from a port of its own. */
class Transfer {
  readonly asked: Asked;
  /** Whether the client has acknowledged something. */
  heard = false;
  readonly #question: TftpQuestion;
  readonly #address: string;
  #retry: Retry;
  #port: UdpPort | undefined;
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
      complain('transfer failed', { ...this.#question, error: String(error) }, this.#question.ip);
      this.end(errorPacket(ERROR.other, 'server error'));
    } finally {
      this.end();
    }
  }

  async #open(): Promise<void> {
    const receive = (packet: Buffer, from: Peer) => this.#receive(packet, from);
    try {
      const port = await UdpPort.open({ name: 'TFTP', log, address: this.#address, port: 0, receive });
      if (this.#ended) await port.close();
      else this.#port = port;
    } catch (error) {
      complain('transfer has no port', { ...this.#question, error: String(error) }, this.#question.ip);
      this.end();
    }
  }

  /** Ends it, with a last packet for the client if there is one. */
  end(farewell?: Buffer): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream?.destroy();
    this.#wake(false);
    if (farewell) this.#send(farewell, () => this.#port?.close());
    else this.#port?.close();
  }

  async #deliver(file: Download): Promise<void> {
    const granted = grantOptions(this.asked.request.options, file.size);
    if (file.isSentOnce) this.#retry = { wait: patience(this.#retry), tries: 1 };
    try {
      if (granted.size > 0) {
        // RFC 2347: it is acknowledged like a block 0.
        this.#first = 0;
        this.#window.push(optionPacket(granted));
        await this.#passWindow(granted);
      }
      if (!this.#ended) await this.#sendBlocks(file, granted);
    } finally {
      file.content.destroy();
    }
  }

  async #sendBlocks(file: Download, granted: Options): Promise<void> {
    this.#stream = file.content;
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
      if (await this.#acknowledged(agreed && tries > 1 ? agreed * 1000 : wait * 2 ** attempt)) return;
    }
    if (this.#ended) return;
    warn('client takes no more of a file', { ...this.#question }, this.#question.ip);
    this.end();
  }

  /** False: not within `wait` milliseconds, or the transfer has ended. */
  async #acknowledged(wait: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, wait, false);
    return promise.finally(() => clearTimeout(timer));
  }

  #receive(packet: Buffer, { address, port }: Peer): void {
    if (this.#ended) return;
    const opcode = packet.length < 4 ? undefined : packet.readUInt16BE(0);
    const { client } = this.asked;
    if (address !== client.address || port !== client.port) {
      // No error is answered by one: two transfers could do so for ever.
      if (opcode === OPCODE.error) return;
      this.#port?.send(errorPacket(ERROR.unknownPort, 'unknown transfer'), { address, port });
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
    this.#port?.send(packet, this.asked.client, sent);
  }
}
