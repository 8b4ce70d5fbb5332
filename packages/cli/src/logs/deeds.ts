/** Lines that tell who did what (server: `api/audit.ts`), as data. */

export interface Deed {
  user: string;
  /** `node.boot`, `stream tcp`. */
  deed: string;
  /** What it was about: names of things. */
  about: Record<string, string>;
  /** `local`, `unknown`, or the address of an SSH session. */
  from?: string;
  /** `done`, or how it failed. */
  result?: string;
}

const LINE = /^(\S+) (.*?)((?: \w+="(?:[^"\\]|\\.)*")*)$/s;
const FIELD = / (\w+)=("(?:[^"\\]|\\.)*")/gs;

/** Undefined for another line. */
export function readDeed(line: string): Deed | undefined {
  const [, user, deed, tail = ''] = LINE.exec(line) ?? [];
  if (user === undefined || deed === undefined) return undefined;
  const fields = new Map<string, string>();
  for (const [, name = '', value = ''] of tail.matchAll(FIELD)) {
    const text = textOf(value);
    if (text === undefined) return undefined;
    fields.set(name, text);
  }
  const [from, result] = [fields.get('from'), fields.get('result')];
  fields.delete('from');
  fields.delete('result');
  return {
    ...{ user, deed, about: Object.fromEntries(fields) },
    ...(from !== undefined && { from }),
    ...(result !== undefined && { result }),
  };
}

function textOf(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
