import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type VirtualModel, virtualModel } from '@walt/contract';
import { type QemuBoard, virtualModelOf } from '../../models/index.ts';
import type { Paths } from '../../platform/index.ts';
import { type Configured, knownSize, logsConsole, type MachineSize, machineSize } from '../setting-values.ts';
import { diskFile } from './disks.ts';
import { sharedFile } from './shared-files.ts';

/** What runs the guest's instructions: the CPU itself, or QEMU. */
export type Accelerator = 'kvm' | 'tcg';

/** In QEMU's option lists a comma ends a value, and two are one. */
export function escapeValue(value: string): string {
  return value.replaceAll(',', ',,');
}

/** What a virtual node is. */
export interface Machine extends MachineSize {
  /** The node's number. */
  id: number;
  model: VirtualModel;
  mac: string;
  /** Whether lines of its console are kept. */
  logsConsole: boolean;
}

export interface VirtualMachine extends Machine {
  /** Name of its tap interface on walt-net, which exists and is a port of the bridge; so do those on its other networks. */
  tap: string;
}

type MachineRow = Configured & { id: number; mac: string };

/** The machine of a virtual node's row. Throws ZodError for a model that no machine has, and as `machineSize`. */
export function machineOf(row: MachineRow): Machine {
  const { id, mac } = row;
  const model = virtualModel.parse(row.model);
  return { id, mac, model, logsConsole: logsConsole(row), ...machineSize(row) };
}

/** The same; undefined: only a newer server knows such a machine. */
export function knownMachine(row: MachineRow): Machine | undefined {
  const [size, model] = [knownSize(row), virtualModel.safeParse(row.model)];
  if (!size || !model.success) return undefined;
  return { id: row.id, mac: row.mac, model: model.data, logsConsole: logsConsole(row), ...size };
}

/** Interface names have 15 characters at most (IFNAMSIZ). */
export function tapName(id: number): string {
  return `vm${id}`;
}

/** What a machine has on a network other than walt-net. Both stay what they are, whatever other networks the node is on. */
export function adapterOn({ id, mac }: Pick<Machine, 'id' | 'mac'>, network: string) {
  const hash = createHash('sha256').update(`walt network ${network} of ${mac}`).digest('hex');
  const tap = `${tapName(id)}.`;
  return {
    /** Of six letters, as long as ids have no seven digits. */
    tap: `${tap}${hash.slice(0, Math.min(6, 15 - tap.length))}`,
    /** Of those that anybody may give (IEEE 802-2014, section 8.4), apart from those of walt-net and of bridges. */
    mac: ['06', ...(hash.slice(-10).match(/../g) ?? [])].join(':'),
  };
}

export function onTap(machine: Machine): VirtualMachine {
  return { ...machine, tap: tapName(machine.id) };
}

/** What the server's machine has to offer. */
export interface Host {
  accelerator: Accelerator;
  /** True when /dev/vhost-net can be opened: without it, QEMU 7.2 aborts on `vhost=on`. */
  vhostNet: boolean;
  /** How many user ids exist here: fewer than 2^32 in an unprivileged container (user_namespaces(7)). */
  userIds: number;
}

type MachinePaths = Pick<Paths, 'virtual' | 'virtualRun'>;

/** Files of one virtual machine, by node id. */
export function machineFiles(id: number, paths: MachinePaths) {
  if (!Number.isSafeInteger(id) || id < 0) throw new RangeError(`${id} is no node id`);
  const folder = join(paths.virtual, String(id));
  const runFolder = join(paths.virtualRun, String(id));
  return {
    /** What lasts. */
    folder,
    /** What ends with the machine's uptime. */
    runFolder,
    /** All that its serial console printed lately, from earlier boots too. */
    consoleLog: join(folder, 'console.log'),
    /** See ConsoleFollower. */
    consoleSpool: join(folder, 'console.spool'),
    /** Its serial console, for one client at a time. */
    consoleSocket: join(runFolder, 'console.sock'),
    qmpSocket: join(runFolder, 'qmp.sock'),
  };
}

/**
 * QEMU's command line for a virtual node (qemu(1)). Pure: the same machine on the same host gives the same words, by which a later
 * server sees whether a running one is as it should be.
 */
export function qemuArguments(vm: VirtualMachine, host: Host, paths: MachinePaths): string[] {
  const files = machineFiles(vm.id, paths);
  const uid = userId(vm.id, host.userIds);
  const board = virtualModelOf(vm.model).qemu;
  return [
    ...hardware(board, vm, host, paths),
    ...['-name', `guest=vm-${vm.id}`],
    '-no-user-config',
    '-nodefaults',
    // Each boot is a new QEMU: one that resets a machine goes on with translated code that fits no longer, and under TCG the next
    // boot takes half as long again; a new one also gives the machine's memory back, and brings a changed definition. Nothing is
    // lost by it: a node that reboots needs the server for its boot script anyway.
    '-no-reboot',
    ...['-display', 'none'],
    ...['-smp', `cpus=${vm.cpuCores}`],
    ...['-m', `size=${vm.ramMiB}M`],
    ...['-uuid', uuid(vm.mac)],
    ...cards(board, vm, host),
    ...board.devices,
    ...vm.disks.flatMap((disk, index) => diskDevice(board, diskFile(files.folder, index, disk), index + 1)),
    // A reader that comes late finds the history in the log; it is opened O_APPEND, so it may be truncated under QEMU.
    ...[
      '-chardev',
      `socket,id=console,path=${escapeValue(files.consoleSocket)},server=on,wait=off,` +
        `logfile=${escapeValue(files.consoleLog)},logappend=on`,
    ],
    ...['-serial', 'chardev:console'],
    ...['-chardev', `socket,id=qmp,path=${escapeValue(files.qmpSocket)},server=on,wait=off`],
    ...['-mon', 'chardev=qmp,mode=control'],
    // Once all is open, QEMU becomes a user that owns nothing. `elevateprivileges=deny` would forbid that very step; the sandbox
    // sets no_new_privs anyway, so there is no way back.
    ...['-runas', `${uid}:${uid}`],
    ...['-sandbox', 'on,obsolete=deny,spawn=deny,resourcecontrol=deny'],
    ...['-msg', 'timestamp=on'],
  ];
}

/** Without `tb-size` QEMU may keep an eighth of the server's memory per machine as translated code. */
const TCG = 'tcg,thread=multi,tb-size=256';

/** The emulator, and what differs between boards. */
function hardware(board: QemuBoard, { id }: VirtualMachine, host: Host, paths: MachinePaths): string[] {
  const kvm = board.kvm && host.accelerator === 'kvm';
  return [
    board.emulator,
    ...['-machine', board.machine],
    ...['-accel', kvm ? 'kvm' : TCG],
    ...['-cpu', kvm ? board.cpu : (board.emulatedCpu ?? board.cpu)],
    ...board.firmware({ id, file: (name) => escapeValue(sharedFile(name, paths)) }),
  ];
}

/**
 * What the guest frees is free in the file, too. Where the server's disk is full, the guest hears of an error: one that QEMU pauses
 * would hang for ever.
 */
function diskDevice(board: QemuBoard, file: string, number: number): string[] {
  const name = `disk${number}`;
  return [
    ...['-drive', `if=none,id=${name},format=raw,discard=unmap,file=${escapeValue(file)}`],
    ...['-device', `${board.disk},drive=${name},serial=${name},werror=report,rerror=report`],
  ];
}

/** Its adapters, so that the guest finds them in the order of its networks. It boots from the first one alone. */
function cards(board: QemuBoard, vm: VirtualMachine, host: Host): string[] {
  const others = vm.networks.slice(1).map(({ name }) => adapterOn(vm, name));
  const all = [
    ...tapDevice('net', vm.tap, host),
    ...['-device', `${board.card},netdev=net,mac=${vm.mac},bootindex=0`],
  ];
  const more = others.map(({ tap, mac }, index) => [
    ...tapDevice(`net${index + 1}`, tap, host),
    ...['-device', `${board.otherCard},netdev=net${index + 1},mac=${mac}`],
  ]);
  return (board.findsLastFirst ? [...more.reverse(), all] : [all, ...more]).flat();
}

function tapDevice(id: string, tap: string, host: Host): string[] {
  const base = `tap,id=${id},ifname=${escapeValue(tap)},script=no,downscript=no`;
  return ['-netdev', host.vhostNet ? `${base},vhost=on` : base];
}

/** First of the user ids that no distribution and no container manager hands out (systemd's UIDS-GIDS.md). */
const FIRST_USER_ID = 0x7000_0000;
/** The same below 2^16, where there are few of them. */
const SHARED_USER_ID = 65_530;

/** A user of its own for each machine, so that none can touch another's process; one for all where ids are few. */
function userId(id: number, userIds: number): number {
  return FIRST_USER_ID + id < userIds ? FIRST_USER_ID + id : SHARED_USER_ID;
}

/** A machine's UUID: the same for the same MAC, in the form of version 8 (RFC 9562). */
function uuid(mac: string): string {
  const hex = createHash('sha256').update(`walt virtual node ${mac}`).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
