import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';

type Row = Record<string, SQLOutputValue>;

/** A statement, with what makes rows of its values. */
export interface Statement {
  statement: StatementSync;
  /** Whether it answers rows. */
  reader: boolean;
  all(values: readonly SQLInputValue[]): Row[];
}

/** Statements that are kept: SQLite takes as long to read one as to carry it out, and a boot has some thirty. */
const KEPT = 200;
/** Characters of the longest of them: a list of a thousand values hardly comes twice. */
const KEPT_LENGTH = 4096;
/** What changes columns. */
const CHANGES_TABLES = /^\s*(?:alter|create|drop|vacuum)\b/i;

/** The statements of a connection, by their text. */
export class Statements {
  readonly #sqlite: DatabaseSync;
  /** The one that was used last is the last. */
  readonly #kept = new Map<string, Statement>();

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite;
  }

  of(text: string): Statement {
    if (CHANGES_TABLES.test(text)) this.#kept.clear();
    const known = this.#kept.get(text);
    this.#kept.delete(text);
    const statement = known ?? this.#prepare(text);
    if (text.length <= KEPT_LENGTH) this.#kept.set(text, statement);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value ?? '');
    return statement;
  }

  #prepare(text: string): Statement {
    const statement = this.#sqlite.prepare(text);
    const names = statement.columns().map(({ name }) => name);
    if (names.length > 0) statement.setReturnArrays(true);
    const toRow = rowMaker(names);
    return {
      statement,
      reader: names.length > 0,
      all: (values) => (statement.all(...values) as unknown as SQLOutputValue[][]).map(toRow),
    };
  }
}

/**
 * Makes rows of values. The objects that node:sqlite makes are tables of hashes for V8: with the columns of nodes, thrice the memory of
 * these, and each look at a column takes thirty times as long. A copy of an object has its form.
 */
function rowMaker(names: readonly string[]): (values: SQLOutputValue[]) => Row {
  // What JSON.parse makes is no table of hashes, however many names it has.
  const form: Row = JSON.parse(JSON.stringify(Object.fromEntries(names.map((name) => [name, null]))));
  return (values) => {
    const row = { ...form };
    for (let at = 0; at < names.length; at += 1) row[names[at] ?? ''] = values[at] ?? null;
    return row;
  };
}
