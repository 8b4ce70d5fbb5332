/** What Slurm runs on a host for a virtual node. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { virtualModelOf } from '../../../models/index.ts';
import { frameRules } from '../../../network/index.ts';
import { projectFile } from '../../../platform/index.ts';
import { type Accelerator, onTap, qemuArguments } from '../../virtual/index.ts';
import type { Placed } from '../engine.ts';

/** What a job must know of the platform and its cluster. */
export interface JobPlace {
  /** Tells platforms apart that share hosts. */
  platform: string;
  /** Address of the server's machine, and the UDP port of tunnels to it. */
  server: string;
  vxlanPort: number;
  /** Machines that Slurm's controller may be on. */
  controllers: readonly string[];
  /** Seconds without a word of a host, after which Slurm takes it for dead. */
  slurmdTimeout: number;
  /** `%n` is the host's name. */
  slurmdPidFile: string;
  /** As `Host.userIds`. */
  userIds: number;
}

export interface Job {
  script: string;
  /** Tells a machine from one that is defined otherwise. */
  hash: string;
}

/** What a job on a host runs, by its file in this folder. */
export async function jobProgram(file: string): Promise<string> {
  const parts = ['walt-net.sh', file].map((name) =>
    readFile(projectFile(`packages/server/src/nodes/engine/slurm/${name}`), 'utf8'),
  );
  return (await Promise.all(parts)).join('');
}

/** Of a platform's machines, on a host. */
const platformFolder = (platform: string) => `/run/walt-host/${platform}`;

/** Folder of a machine on its host, or of what serves volumes there. */
export function hostFolder(platform: string, id: number | 'volumes'): string {
  return `${platformFolder(platform)}/${id}`;
}

/** Pure. `program`: walt-net.sh and run-machine.sh. */
export function jobScript({ machine, ip }: Placed, place: JobPlace, program: string): Job {
  const { platform, userIds } = place;
  const { id, mac } = machine;
  const board = virtualModelOf(machine.model).qemu;
  const vm = onTap(machine);
  const root = platformFolder(platform);
  const commandLine = (accelerator: Accelerator) =>
    // What machines share on the server lies beside each of them on a host.
    qemuArguments(vm, { accelerator, vhostNet: false, userIds }, { virtual: root, virtualRun: root }).map(
      (word) =>
        board.files.reduce(
          (text, { name }) => text.replace(`${root}/${name}`, `${root}/${id}/${name}`),
          word,
        ),
    );
  const variables = [
    ['platform', platform],
    ['id', String(id)],
    ['server', place.server],
    ['port', String(place.vxlanPort)],
    ['limit', String(place.slurmdTimeout)],
    ['pid_file', place.slurmdPidFile],
    ['tap', vm.tap],
    ['rules', frameRules(vm.tap, { mac, ip })],
  ] as const;
  const lists = [
    ['controllers', place.controllers],
    ['qemu', commandLine('tcg')],
    ['qemu_kvm', board.kvm ? commandLine('kvm') : []],
    [
      'files',
      board.files.flatMap(({ name, content, size }) => {
        const bytes = Buffer.from(content());
        return [name, String(size ?? bytes.length), withoutEnd(bytes).toString('base64')];
      }),
    ],
  ] as const;
  const body = [
    ...variables.map(([name, value]) => `${name}=${quoted(value)}`),
    ...lists.map(([name, words]) => `${name}=(${words.map(quoted).join(' ')})`),
    program,
  ].join('\n');
  const all = body + JSON.stringify(machine.place);
  const hash = createHash('sha256').update(all).digest('hex').slice(0, 12);
  return { hash, script: `#!/bin/bash\nhash=${hash}\n${body}` };
}

/** The zeros at its end come back when it gets its size. */
function withoutEnd(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}

/** One word of a shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Number of the tunnel between a host and the server (VXLAN Network Identifier, RFC 7348): both know it without asking. */
export function tunnelNumber(platform: string, host: string): number {
  return Number.parseInt(createHash('sha256').update(`${platform} ${host}`).digest('hex').slice(0, 6), 16);
}
