import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { attempt } from '../packages/server/src/platform/index.ts';

export interface BootTimes {
  /** Seconds from power-on to the SSH server's greeting. */
  total: number;
  /** Seconds from the kernel's start to the SSH server's greeting. */
  kernel: number;
  /** Seconds from the kernel's start until the initramfs hands over to the image's init. */
  initramfs: number;
  /** Bytes that were sent to the machine from the kernel's start until then: what its root costs. */
  bytes: number;
  /** Bytes that were sent before: loader script, kernel, initramfs. */
  loaded: number;
}

/** A machine to be measured. */
export interface Subject {
  namespace: string;
  /** Any process in that namespace. */
  insider: number;
  ip: string;
  /** Its network interface on our side. */
  tap: string;
  consoleLog: string;
  /** Switches it on. */
  powerOn(): Promise<void>;
}

/** Milliseconds that a boot may take. */
const LIMIT = 300_000;

/**
 * Switches a machine on and waits until its SSH server greets. When the kernel started is told by the init's last line:
 * it says how long ago that was.
 */
export async function timeBoot(subject: Subject): Promise<BootTimes> {
  const { namespace, ip, consoleLog } = subject;
  const offset = await sizeOf(consoleLog);
  const before = await sentBytes(subject);
  const start = performance.now();
  await subject.powerOn();
  const kernel = await kernelStart(subject, offset);
  const banner = [
    'ip',
    'netns',
    'exec',
    namespace,
    process.execPath,
    join(import.meta.dirname, 'banner.ts'),
    ip,
  ];
  const { status } = await attempt(banner, { timeout: LIMIT });
  if (status !== 0) throw new Error(`no SSH server at ${ip} after ${LIMIT / 1000} s; see ${consoleLog}`);
  const end = performance.now();
  return {
    total: (end - start) / 1000,
    kernel: (end - kernel.time) / 1000,
    initramfs: kernel.initramfs,
    bytes: (await sentBytes(subject)) - kernel.sent,
    loaded: kernel.sent - before,
  };
}

/** When the kernel started, on the clock of `performance.now()`, and how many bytes had been sent by then. */
async function kernelStart(
  subject: Subject,
  offset: number,
): Promise<{ time: number; sent: number; initramfs: number }> {
  const deadline = performance.now() + LIMIT;
  const samples: { time: number; sent: number }[] = [];
  while (performance.now() < deadline) {
    samples.push({ time: performance.now(), sent: await sentBytes(subject) });
    const match = /is ready after ([\d.]+) s/.exec(await textFrom(subject.consoleLog, offset));
    if (match) {
      const initramfs = Number(match[1]);
      const time = performance.now() - initramfs * 1000;
      return { time, sent: samples.findLast((sample) => sample.time <= time)?.sent ?? 0, initramfs };
    }
    await delay(10);
  }
  throw new Error(`the machine did not come to its root in ${LIMIT / 1000} s; see ${subject.consoleLog}`);
}

/** Counter of the interface, out of the namespace's /proc/net/dev: the ninth number is what we sent (proc_pid_net(5)). */
async function sentBytes({ insider, tap }: Subject): Promise<number> {
  const lines = (await readFile(`/proc/${insider}/net/dev`, 'utf8')).split('\n');
  const line = lines.find((line) => line.trim().startsWith(`${tap}:`));
  const sent = line?.split(':')[1]?.trim().split(/\s+/)[8];
  if (sent === undefined) throw new Error(`there is no interface ${tap}`);
  return Number(sent);
}

async function sizeOf(path: string): Promise<number> {
  const stats = await stat(path).catch(() => undefined); // not there before the first boot
  return stats?.size ?? 0;
}

async function textFrom(path: string, offset: number): Promise<string> {
  const size = await sizeOf(path);
  if (size <= offset) return '';
  await using file = await open(path, 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - offset), 0, size - offset, offset);
  return buffer.toString('latin1', 0, bytesRead);
}
