/** A board's controller for tests, by the real ipmi_sim. Its machine is a file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { on, once } from 'node:events';
import { watch } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BMC_USER } from './bmc.ts';

/** Password of its users, `walt` and `guest`: a word, since ipmi_sim reads no blanks. */
const WORD = 'a-word';

export class PlayedIpmi {
  readonly folder: string;
  readonly port: number;
  /** Of its user `walt`. */
  readonly passwordFile: string;
  readonly #program: ChildProcess;
  readonly #serial: PlayedSerial;

  private constructor(folder: string, port: number, serial: PlayedSerial) {
    this.folder = folder;
    this.port = port;
    this.#serial = serial;
    this.passwordFile = join(folder, 'password');
    const argv = [
      '-n',
      '-c',
      join(folder, 'lan.conf'),
      '-f',
      join(folder, 'commands'),
      '-s',
      join(folder, 'state'),
    ];
    this.#program = spawn('ipmi_sim', argv, { stdio: 'ignore' });
  }

  /** `console`: whether it gives the machine's serial port. */
  static async start({ console = true } = {}): Promise<PlayedIpmi> {
    const serial = await PlayedSerial.listen();
    const folder = await mkdtemp(join(tmpdir(), 'walt-ipmi-'));
    const port = await freeUdpPort();
    await mkdir(join(folder, 'state'));
    await writeFile(join(folder, 'password'), `${WORD}\n`, { mode: 0o600 });
    // What ipmi_sim calls to look at the machine, and to change it: `get power`, `set power 0`, several at a time.
    const chassis = `#!/bin/sh
all=$*
while [ $# -gt 0 ]; do
  case "$1 $2" in
    'get power') echo "power:$(cat ${folder}/power)"; shift 2 ;;
    'set power') echo "$3" > ${folder}/power; shift 3 ;;
    get*) echo "$2:0"; shift 2 ;;
    *) shift 3 ;;
  esac
done
# Told once it is done: who waits for it may change the machine then.
echo "$all" >> ${folder}/log
`;
    await writeFile(join(folder, 'chassis'), chassis, { mode: 0o755 });
    await writeFile(
      join(folder, 'lan.conf'),
      `name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 ${port}
    priv_limit admin
    allowed_auths_user md5
    allowed_auths_operator md5
    allowed_auths_admin md5
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "${folder}/chassis"
${console ? `  sol "tcp:127.0.0.1:${serial.port}" 115200` : ''}
  user 2 true "${BMC_USER}" "${WORD}" admin 10 md5
  user 3 true "guest" "${WORD}" user 10 md5
`,
    );
    await writeFile(
      join(folder, 'commands'),
      'mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n',
    );
    const simulator = new PlayedIpmi(folder, port, serial);
    await once(simulator.#program, 'spawn');
    return simulator;
  }

  /** What was typed at the machine's serial port, which prints each piece again, in brackets. */
  get typed(): string {
    return this.#serial.typed;
  }

  async power(value?: 0 | 1): Promise<string> {
    const file = join(this.folder, 'power');
    if (value !== undefined) await writeFile(file, `${value}\n`);
    return (await readFile(file, 'utf8')).trim();
  }

  /** What was done to the machine since the last `forget`. */
  async done(): Promise<string[]> {
    const lines = (await readFile(join(this.folder, 'log'), 'utf8')).split('\n');
    return lines.filter((line) => line.startsWith('set '));
  }

  /** The same, once that has been done, too. */
  async doneTo(last: string): Promise<string[]> {
    const watcher = watch(this.folder);
    try {
      const changes = on(watcher, 'change', { signal: AbortSignal.timeout(60_000) });
      for (;;) {
        const done = await this.done();
        if (done.includes(last)) return done;
        await changes.next();
      }
    } finally {
      watcher.close();
    }
  }

  async forget(): Promise<void> {
    await writeFile(join(this.folder, 'log'), '');
  }

  async stop(): Promise<void> {
    this.#program.kill('SIGKILL');
    if (this.#program.exitCode === null && this.#program.signalCode === null)
      await once(this.#program, 'exit');
    await this.#serial.close();
    await rm(this.folder, { recursive: true });
  }
}

/** A machine's serial port, as ipmi_sim joins it. */
class PlayedSerial {
  typed = '';
  readonly #server: Server;
  readonly #joined = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.#joined.add(socket);
      socket.on('error', () => {}); // ipmi_sim is killed
      socket.on('data', (data) => {
        this.typed += data;
        socket.write(`[${data}]`);
      });
    });
  }

  static async listen(): Promise<PlayedSerial> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new PlayedSerial(server);
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new TypeError('no port');
    return address.port;
  }

  async close(): Promise<void> {
    for (const socket of this.#joined) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}
