/** The escape key of `walt node console`: ctrl-a d quits, ctrl-a w takes over, ctrl-a a sends ctrl-a. */
const CTRL_A = 0x01;

export interface Typed {
  /** What goes to the other side. */
  bytes: Buffer;
  quit: boolean;
  /** From these bytes on, this one wants to be the one who types. */
  take: boolean;
}

/** A function that takes what was typed, piece by piece, and keeps in mind an escape key at the end of a piece. */
export function escapeParser(): (typed: Buffer) => Typed {
  let escaped = false;
  return (typed) => {
    let bytes: number[] = [];
    let take = false;
    for (const byte of typed) {
      if (!escaped && byte === CTRL_A) escaped = true;
      else if (!escaped) bytes.push(byte);
      else {
        escaped = false;
        if (byte === 'd'.charCodeAt(0)) return { bytes: Buffer.from(bytes), quit: true, take };
        if (byte === 'w'.charCodeAt(0)) {
          // What was typed before was for nobody.
          bytes = [];
          take = true;
        } else if (byte === 'a'.charCodeAt(0) || byte === CTRL_A) bytes.push(CTRL_A);
        // Any other key after ctrl-a is one that was typed by mistake: both go on.
        else bytes.push(CTRL_A, byte);
      }
    }
    return { bytes: Buffer.from(bytes), quit: false, take };
  };
}
