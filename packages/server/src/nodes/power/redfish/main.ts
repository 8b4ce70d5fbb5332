/** The program itself: reads an order on standard input, asks, prints the outcome. Passwords are in no argument. */
import { text } from 'node:stream/consumers';
import { type Order, type Outcome, RedfishError } from './protocol.ts';
import { carryOut } from './system.ts';

/** Milliseconds for all that it asks: slow controllers take seconds for each of five answers. */
const LIMIT = 40_000;

const order = JSON.parse(await text(process.stdin)) as Order;
let outcome: Outcome;
try {
  outcome = { state: await carryOut(order, AbortSignal.timeout(LIMIT)) };
} catch (error) {
  if (!(error instanceof RedfishError)) throw error;
  outcome = { failure: error.failure };
}
process.stdout.write(`${JSON.stringify(outcome)}\n`);
