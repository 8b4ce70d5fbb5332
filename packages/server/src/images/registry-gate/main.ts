/**
 * A program that asks one registry for one caller, with the host's network, which the server itself does not have. It reads
 * an order and then questions on standard input, one per line, and ends with it.
 */
import { createInterface } from 'node:readline';
import { Door } from './door.ts';
import { GateError } from './failure.ts';
import { readSmall } from './patience.ts';
import type { Answer, Failure, Message, Order, Question } from './protocol.ts';
import { Upstream } from './upstream.ts';

/** Milliseconds between two words about the bytes that moved. */
const MOVED_EVERY = 100;

let order: Order | undefined;
let upstream: Upstream | undefined;
let failed: Failure | null = null;

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  if (order && upstream) void answer(order, upstream, JSON.parse(line) as Question);
  else {
    order = JSON.parse(line) as Order;
    upstream = new Upstream(order);
  }
});
lines.once('close', () => process.exit());

async function answer(order: Order, upstream: Upstream, question: Question): Promise<void> {
  const { id } = question;
  try {
    if ('failed' in question) say({ id, failed });
    else if ('open' in question) say({ id, port: await openDoor(order, upstream, question.open) });
    else say({ id, answer: await get(order, upstream, question) });
  } catch (error) {
    say({ id, failure: GateError.of(error, new URL(order.origin).host).failure });
  }
}

async function get(
  { origin, searchOrigin, silence }: Order,
  upstream: Upstream,
  question: Extract<Question, { get: string }>,
): Promise<Answer> {
  const isSearch = !question.get.startsWith('/v2/');
  const url = new URL(question.get, (isSearch ? searchOrigin : undefined) ?? origin);
  const response = await upstream.ask({
    ...{ method: 'GET', url, headers: { accept: question.accept }, purpose: 'read' },
  });
  const bounds = { limit: question.limit, silence, host: url.host };
  const body = (await readSmall(response, bounds)).toString('base64');
  const { link } = response.headers;
  return { status: response.statusCode ?? 0, link: typeof link === 'string' ? link : null, body };
}

function openDoor(
  order: Order,
  upstream: Upstream,
  { repository, secret, blobs }: Extract<Question, { open: unknown }>['open'],
): Promise<number> {
  let [moved, told] = [0, false];
  const onMoved = (bytes: number) => {
    moved += bytes;
    if (told) return;
    told = true;
    setTimeout(() => {
      told = false;
      say({ moved });
    }, MOVED_EVERY);
  };
  const onFailure = (failure: Failure) => {
    failed = failure;
  };
  return new Door(upstream, { order, repository, secret, blobs, onMoved, onFailure }).listen();
}

function say(message: Message): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
