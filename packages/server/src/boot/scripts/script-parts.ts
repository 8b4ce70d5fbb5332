/** What boot scripts have in common, whatever their loader. */
import { digestHex } from '@walt/contract';
import { findModel, fittingsOf } from '../../models/index.ts';
import { kernelName } from '../boot-files.ts';
import { checkTarget } from '../checked.ts';
import type { BootTarget } from '../directory.ts';

/**
 * The kernel changes its own TCP code when the first control group with a memory limit is made, which is while systemd starts and
 * the network is busy. QEMU without KVM may go on with the old code then, and both CPUs hang for ever (seen in QEMU 7.2, in one
 * of ten boots). Sockets' memory that is not counted needs no such change.
 */
const EMULATOR_NEEDS = ['cgroup.memory=nosocket'];
/**
 * The kernel counts the timer's ticks during a moment, and gives up where none came ("IO-APIC + timer doesn't work"): an emulated one
 * is late on a server that is busy.
 */
const EMULATED_PC_NEEDS = ['no_timer_check'];

/** Kernel arguments of a node. */
export function kernelArguments(target: BootTarget): string {
  const { mac, ip, prefix, server, isVirtual, model } = checkTarget(target);
  const { console, otherConsoles = [] } = fittingsOf(target);
  return [
    // The last one is where init prints.
    ...[...otherConsoles, console].map((one) => `console=${one}`),
    ...(isVirtual ? EMULATOR_NEEDS : []),
    ...(isVirtual && isX86(model) ? EMULATED_PC_NEEDS : []),
    // Each line costs time on a serial line or an emulated one: only warnings, and what our init says.
    'quiet',
    // A node that cannot go on starts over: seconds.
    'panic=10',
    'net.ifnames=0',
    `walt.ip=${ip}/${prefix}`,
    `walt.server=${server}`,
    `walt.mac=${mac}`,
  ].join(' ');
}

function isX86(model: string): boolean {
  return ['amd64', 'i386'].includes(findModel(model)?.architecture ?? '');
}

/** Commands by which iPXE and U-Boot wait before they load an image, if they are to. */
export function pause(target: BootTarget): string[] {
  const { name, delay } = checkTarget(target);
  return delay === 0 ? [] : [`echo WalT: ${name} waits ${delay} seconds (boot.delay)`, `sleep ${delay}`];
}

/** Path of an image's boot file on the server. */
export function bootFilePath(digest: string, name: string): string {
  return `/boot/files/${digestHex(digest)}/${name}`;
}

/** Path of a node's kernel on the server. */
export function kernelPath(target: Pick<BootTarget, 'digest' | 'model' | 'isVirtual'>): string {
  return bootFilePath(target.digest, kernelName(fittingsOf(target).adapters));
}

/** Variables that boot scripts of images made for WalT may use. */
export function imageVariables(target: BootTarget): Record<string, string> {
  const { server, name, model } = checkTarget(target);
  return { name, hostname: name, model, server_ip: server, 'next-server': server };
}

/** Seconds that a machine waits before it asks again, when there is nothing that it can boot. */
export const RETRY_PAUSE = 10;

/** A reason as a loader can show it: without the characters that its scripts give a meaning to. */
export function shown(reason: string): string {
  return reason.replace(/[^A-Za-z0-9 .,:;()/_-]/g, ' ');
}
