/** Who types on a console that several watch, told to the one who is here. */
import type { WriterFrame } from '@walt/contract';
import { remark } from './output.ts';
import { visibleName } from './visible.ts';

export interface Writers {
  /** What the server tells. */
  onWriter(frame: WriterFrame): void;
  /** False, and told once, while somebody else types. `take`: the server was just asked to have this one type. */
  mayType(take?: boolean): boolean;
}

export function openWriters(tell: (words: string) => void = remark): Writers {
  let now: WriterFrame | undefined;
  let warned = false;
  return {
    onWriter: (frame) => {
      const words = writerWords(now, frame);
      now = frame;
      warned = false;
      if (words !== undefined) tell(`\n${words}`);
    },
    mayType: (take) => {
      if (take && now) now = { ...now, you: true };
      if (!now || now.you || now.user === null) return true;
      if (!warned) tell(`\n${watching(now)}`);
      warned = true;
      return false;
    },
  };
}

/** Undefined where nothing is worth a line: nobody types when one comes, or one has begun to type oneself. */
export function writerWords(before: WriterFrame | undefined, after: WriterFrame): string | undefined {
  if (after.you) return before && before.user !== null ? 'You type here now.' : undefined;
  if (after.user === null) return before ? 'Nobody types here now.' : undefined;
  return before?.you
    ? `${visibleName(after.user)} types here now, you watch: ctrl-a w takes it back.`
    : watching(after);
}

function watching({ user }: WriterFrame): string {
  return `${visibleName(user ?? '')} is typing here, you watch: ctrl-a w takes over.`;
}
