/** Something of the state folder that is not as it should be, as `walt-server check` tells it. */
export interface Finding {
  /** What differs, in a word. */
  kind:
    | 'database'
    | 'image-lost'
    | 'image-unknown'
    | 'volume'
    | 'boot-files'
    | 'persist-unknown'
    | 'persist-lost';
  /** A sentence that names the thing. */
  text: string;
  /** What was done about it; null: nothing. */
  done: string | null;
  /** What is to be done, where nothing was. */
  next: string | null;
}

export function mended(kind: Finding['kind'], text: string, done: string): Finding {
  return { kind, text, done, next: null };
}

export function left(kind: Finding['kind'], text: string, next: string): Finding {
  return { kind, text, done: null, next };
}
