/** What a volume server tells, and is told, in lines (engine/slurm/volumes/serve-volumes.sh). Pure. */

const NAME = /^[a-z0-9-]{1,120}\.erofs$/;

export interface Report {
  /** Copies whose bytes are right. */
  have: Set<string>;
  /** Those that nobody has looked at since it was started. */
  unchecked: Set<string>;
  /** All of them, those first that came first. */
  there: ReadonlySet<string>;
  /** Bytes that more copies may take. */
  room: number;
  /** Why the last fetch came to nothing. */
  failed: string | undefined;
}

/** Lines that make no sense say nothing. */
export function parseReport(text: string): Report {
  const there = new Set<string>();
  const report: Report = { have: new Set(), unchecked: new Set(), there, room: 0, failed: undefined };
  for (const line of text.split('\n')) {
    const [word, what = ''] = [line.split(' ', 1)[0], line.slice(line.indexOf(' ') + 1)];
    if (word === 'failed') report.failed = what.slice(0, 300);
    else if (word === 'room' && /^\d{1,17}$/.test(what)) report.room = Number(what);
    else if ((word === 'have' || word === 'unchecked') && NAME.test(what)) {
      there.add(what);
      report[word].add(what);
    }
  }
  return report;
}

/** A copy as it is to be. */
export interface CopyFacts {
  name: string;
  /** Bytes, with the hash tree behind it. */
  size: number;
  /** 64 hexadecimal digits, of all these bytes. */
  sha256: string;
}

export function renderOrders(fetch: CopyFacts | undefined, drop: readonly string[]): string {
  const lines = drop.map((name) => `drop ${name}\n`);
  if (fetch) lines.push(`fetch ${fetch.name} ${fetch.size} ${fetch.sha256}\n`);
  return lines.join('');
}
