import { parseArgs } from 'node:util';

/** `--runs N` and `--json`, the options of every bench, and those of its own. Ends the process with 2 on anything else. */
export function benchOptions(
  defaultRuns: number,
  own: readonly string[] = [],
): { runs: number; json: boolean; own: Record<string, string | undefined> } {
  try {
    const { values } = parseArgs({
      options: {
        ...Object.fromEntries(own.map((name) => [name, { type: 'string' as const }])),
        runs: { type: 'string', default: String(defaultRuns) },
        json: { type: 'boolean', default: false },
      },
    });
    const runs = Number(values.runs);
    if (!Number.isSafeInteger(runs) || runs < 1)
      throw new RangeError('--runs must be a whole number, 1 or more');
    const texts = new Map<string, string | boolean | undefined>(Object.entries(values));
    const given = own.map((name) => [name, texts.get(name)?.toString()] as const);
    return { runs, json: values.json, own: Object.fromEntries(given) };
  } catch (error) {
    const options = ['--runs N', '--json', ...own.map((name) => `--${name} …`)];
    refuse(`${error instanceof Error ? error.message : error}\n  → options: ${options.join(', ')}`);
  }
}

/** For options that make no sense. */
export function refuse(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

/** Tells on standard error what the bench does now. */
export function progress(text: string): void {
  process.stderr.write(`  ${text}\n`);
}
