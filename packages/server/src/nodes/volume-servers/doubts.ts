import type { Report } from './report.ts';

/** Copies in which a node found other bytes than the server has, whatever their hosts say. Nobody is sent there for one. */
export class Doubts {
  readonly #byHost = new Map<string, Set<string>>();

  add(host: string, name: string): void {
    this.#byHost.set(host, (this.#byHost.get(host) ?? new Set()).add(name));
  }

  /** Those of a host that are still there, as it tells. One that is gone is believed again: it will be fetched anew. */
  among(host: string, { there }: Pick<Report, 'there'>): ReadonlySet<string> {
    const left = new Set(this.#byHost.get(host)).intersection(there);
    this.#byHost.set(host, left);
    return left;
  }
}
