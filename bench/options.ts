import { parseArgs } from 'node:util';

/** `--runs N` and `--json`, the options of every bench. Ends the process with 2 on anything else. */
export function benchOptions(defaultRuns: number): { runs: number; json: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        runs: { type: 'string', default: String(defaultRuns) },
        json: { type: 'boolean', default: false },
      },
    });
    const runs = Number(values.runs);
    if (!Number.isSafeInteger(runs) || runs < 1)
      throw new RangeError('--runs must be a whole number, 1 or more');
    return { runs, json: values.json };
  } catch (error) {
    process.stderr.write(
      `${error instanceof Error ? error.message : error}\n  → options: --runs N, --json\n`,
    );
    process.exit(2);
  }
}

/** Tells on standard error what the bench does now. */
export function progress(text: string): void {
  process.stderr.write(`  ${text}\n`);
}
