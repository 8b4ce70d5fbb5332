import type { ExecResult } from '../packages/server/src/platform/index.ts';
import { until } from './until.ts';

/** Milliseconds; it only ends what hangs. */
const LIMIT = 600_000;

/** The platform as a service, on a machine where lines of shell are run. `ok` answers what a line prints, and throws when it fails. */
export class Service {
  readonly #run: (line: string) => Promise<ExecResult>;
  readonly #ok: (line: string) => Promise<string>;

  constructor(machine: { run(line: string): Promise<ExecResult>; ok(line: string): Promise<string> }) {
    this.#run = (line) => machine.run(line);
    this.#ok = (line) => machine.ok(line);
  }

  /** Process numbers, in the machine, of the server and of what must outlive it. */
  async pids(): Promise<Record<string, number>> {
    const text = await this.#ok(
      'cd /run/walt && for file in server.json programs/*.json; do echo "$file $(cat $file)"; done',
    );
    const records = [...text.matchAll(/^(?:programs\/)?(\S+)\.json (\{.*\})$/gm)];
    return Object.fromEntries(
      records.map(([, name = '', json = '']) => [name, Number(JSON.parse(json).pid)]),
    );
  }

  /** Those that nodes need while they run. */
  async programs(): Promise<Record<string, number>> {
    const { server, 'walt-server': supervisor, ...others } = await this.pids();
    return others;
  }

  /** The server serves, and is another one than before. */
  async back(before: number): Promise<void> {
    const serving = async () => Number((await this.#run('cat /run/walt/serving')).stdout);
    await until(
      'the server to be back',
      async () => {
        const { server } = await this.pids();
        return server !== before && (await serving()) === server;
      },
      LIMIT,
    );
  }

  async property(name: string): Promise<string> {
    return (await this.#ok(`systemctl show --value -p ${name} walt-server`)).trim();
  }
}
