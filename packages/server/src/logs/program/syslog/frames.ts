/** Messages in a stream of TCP: RFC 6587, 3.4. */

/** Bytes of a message that are taken; the rest of a longer one is dropped. */
export const MAX_MESSAGE = 64 * 1024;
/** Digits of a length. */
const MAX_DIGITS = 10;

const NEWLINE = 0x0a;
const BLANK = 0x20;

/** Cuts a stream into messages. Each is counted (`LENGTH MESSAGE`) if it begins with a digit, or else ended by a newline. */
export class Frames {
  #parts: Buffer[] = [];
  /** Bytes in them. */
  #held = 0;
  #state: 'begin' | 'digits' | 'counted' | 'line' = 'begin';
  #digits = '';
  /** Of a counted message, bytes that are still to come. */
  #missing = 0;

  /** Messages that are complete. Throws RangeError for what is no frame: nobody knows where the next one begins. */
  push(bytes: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const byte = bytes[at] ?? 0;
      switch (this.#state) {
        case 'begin':
          // Some end counted messages by a newline as well.
          if (byte === NEWLINE) at += 1;
          else this.#state = byte >= 0x31 && byte <= 0x39 ? 'digits' : 'line';
          break;
        case 'digits':
          at += 1;
          this.#digit(byte);
          break;
        case 'counted': {
          const part = bytes.subarray(at, at + this.#missing);
          this.#take(part);
          at += part.length;
          this.#missing -= part.length;
          if (this.#missing === 0) messages.push(this.end());
          break;
        }
        case 'line': {
          const end = bytes.indexOf(NEWLINE, at);
          this.#take(bytes.subarray(at, end === -1 ? bytes.length : end));
          at = end === -1 ? bytes.length : end + 1;
          if (end !== -1) messages.push(this.end());
        }
      }
    }
    return messages;
  }

  /** What has come of a message whose end has not: empty, if there is none. */
  end(): Buffer {
    const message = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#held = 0;
    this.#digits = '';
    this.#state = 'begin';
    return message;
  }

  #digit(byte: number): void {
    if (byte === BLANK) {
      this.#missing = Number(this.#digits);
      this.#state = 'counted';
      return;
    }
    if (byte < 0x30 || byte > 0x39 || this.#digits.length >= MAX_DIGITS) {
      throw new RangeError('what begins with a digit is no length');
    }
    this.#digits += String.fromCharCode(byte);
  }

  #take(part: Buffer): void {
    const taken = part.subarray(0, MAX_MESSAGE - this.#held);
    if (taken.length === 0) return;
    // What came with it is not kept for its sake.
    this.#parts.push(Buffer.from(taken));
    this.#held += taken.length;
  }
}
