import { eventIterator, oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { nodeChangesContract } from './node-changes.ts';
import { bootStep, nodeBoot } from './node-history.ts';
import { deviceNote } from './notes.ts';
import { withProgress } from './progress.ts';
import {
  architecture,
  digest,
  guests,
  imageReference,
  ipv4,
  macAddress,
  namedGuests,
  newNodeName,
  nodeName,
  nodeSet,
  virtualModel,
} from './schemas.ts';
import { BOOTS_KEPT, DEFAULT_IMAGE, DISK_TEMPLATES } from './values/index.ts';

const base = oc.errors(errors);

/** `off`: powered down or never seen; `booting`: fetches its image; `booted`: its agent is connected and its SSH server
 *  answers; `unreachable`: was booted, its agent is silent; `failed`: its boot could not go on. */
export const nodeState = z.enum(['off', 'booting', 'booted', 'unreachable', 'failed']);
export type NodeState = z.infer<typeof nodeState>;

/** Where a boot's volumes and its changes lie: on the server and in RAM, on a disk and in RAM, or both on a disk. */
export const bootMode = z.enum(['network', 'hybrid-volatile', 'hybrid-persistent']);
export type BootMode = z.infer<typeof bootMode>;

/**
 * A node's disk for hybrid boots. `none`: it has none; `copying`: volumes are on their way to it; `complete`: it has all of the image;
 * `full`: they do not fit; `read-only`: it cannot be written to; `foreign`: another platform has it; `unusable`: something in its folder
 * is not what it must be; `damaged`: what is written to it is not what is read; `skipped`: the node did not come up with it, and is left
 * without it until its next boot.
 */
export const diskState = z.enum([
  'none',
  'copying',
  'complete',
  'full',
  'read-only',
  'foreign',
  'unusable',
  'damaged',
  'skipped',
]);
export type DiskState = z.infer<typeof diskState>;

/** Who has a node's power, and what is known of it. */
export const nodePower = z.object({
  /** `virtual machine`, `wake-on-lan`, `ipmi`…; `none`: nobody has it. */
  kind: z.string(),
  /** The value of its setting `power`, as `bmc-1` or `switch-2:7`; null for a virtual node. */
  source: z.string().nullable(),
  /** Null: it cannot be told, or was not asked for. */
  state: z.enum(['on', 'off']).nullable(),
});
export type NodePower = z.infer<typeof nodePower>;

/** Bytes: how much there is, and how much of it is left. */
const room = z.object({ total: z.number(), free: z.number() });

export const node = z.object({
  name: nodeName,
  mac: macAddress,
  ip: ipv4,
  type: z.enum(['virtual', 'physical']),
  /** Hardware model, as `pc-x86-64`. */
  model: z.string(),
  architecture,
  /** `owner/name` of the image that it boots. */
  image: z.string(),
  /** Who owns it: the owner of its image, or null when it is free. */
  owner: z.string().nullable(),
  state: nodeState,
  /** Digest of the image that runs now; null while it is not booted. */
  running: digest.nullable(),
  /** False when its image's name points elsewhere since it booted: a reboot brings the change. */
  current: z.boolean(),
  /** How the boot that runs came to its files; null while it is not booted. */
  bootMode: bootMode.nullable(),
  /** What it told last of its disk for hybrid boots; null: it told of none. */
  hybridDisk: diskState.exclude(['none']).nullable(),
  bootPlan: z.enum(['volumes', 'nfs-root']),
  /** Unix time in seconds of the last change of `state`; null if never seen. */
  since: z.number().nullable(),
  /** While it boots, or has failed to, as far as that is known: the last step that it has done, and when; null: none yet, since it was ordered. */
  boot: z
    .object({
      step: bootStep.nullable(),
      since: z.number(),
      attempt: z.number(),
      /** It has failed as often as it may. */
      final: z.boolean(),
    })
    .nullable(),
  /** Of a virtual node, as they are set. */
  cpuCores: z.number().nullable(),
  ramMiB: z.number().nullable(),
  /**
   * Of its memory, of its swap, and for what was changed on it, which lies in memory; `killed`: programs that its kernel killed for
   * want of memory since it started. Null: it does not tell, or is not booted.
   */
  room: z.object({ memory: room, swap: room, killed: z.number(), changes: room.nullable() }).nullable(),
  /** The machine that it runs on, where the platform has several; null: this is the server, or it runs nowhere just now. */
  host: z.string().nullable(),
  /** The machine that serves its volumes, where that is not the server. */
  volumesFrom: z.string().nullable(),
  power: nodePower,
  /**
   * Why it does not become what it should be, or may not stay it, and what to do; null: it does, as far as is known. `console`: the
   * last lines of its console before that, as they came.
   */
  trouble: z.object({ message: z.string(), hint: z.string(), console: z.array(z.string()) }).nullable(),
  /** What somebody should know of its machine. */
  notes: z.array(deviceNote),
});
export type Node = z.infer<typeof node>;

/** A setting as it holds, be it set or not. */
export const settingValue = z.object({ name: z.string(), value: z.string(), isSet: z.boolean() });
export type NodeSettingValue = z.infer<typeof settingValue>;

/** All that is known of one node. */
export const nodeDetails = node.extend({
  /** Unix time in seconds when it was made, or first seen. */
  created: z.number(),
  /** What its image's name points to: its next boot. Null: nothing. */
  digest: digest.nullable(),
  /** The boot that it was given last, and when, as Unix time in seconds. */
  served: z.object({ digest, at: z.number() }).nullable(),
  /** Whose boot that was; null: nobody's. */
  bootOwner: z.string().nullable(),
  /** Whom its owner lets use it. */
  guests,
  settings: z.array(settingValue),
  /** Bytes. `used`: those that it takes on the server; null: it is not made yet. */
  disks: z.array(
    z.object({ template: z.enum(DISK_TEMPLATES), size: z.number(), used: z.number().nullable() }),
  ),
});
export type NodeDetails = z.infer<typeof nodeDetails>;

const affected = z.object({ nodes: z.array(nodeName) });
/** `unheard`: those of them that do not listen, and whose power nobody has. They boot when somebody switches them on. */
const ordered = affected.extend({ unheard: z.array(nodeName) });
/** With whom nodes are shared now. */
const shared = z.object({ nodes: z.array(guests.extend({ name: nodeName })) });
/** A setting as a user typed it. */
export const typedSetting = z.object({ name: z.string().max(64), value: z.string().max(512) });
/** Answer `yes` in advance to the question that the error CONFIRM would ask. */
const yes = z.boolean().default(false);

/** ICMP echo from the server: the lines that ping prints, then its exit status. */
export const ping = base
  .input(z.object({ name: nodeName, count: z.int().min(1).max(1000).default(4) }))
  .output(
    eventIterator(
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('line'), line: z.string() }),
        z.object({ type: z.literal('exit'), status: z.number() }),
      ]),
    ),
  );

export const nodeContract = {
  /** Nodes of a set, sorted by name. */
  list: base
    .input(
      z.object({
        set: nodeSet.default('all-nodes'),
        /** Asks who has their power for its state; what takes longer than two seconds is not waited for. */
        power: z.boolean().optional(),
      }),
    )
    .output(z.array(node)),
  /** Nodes of a set, told whole. */
  details: base.input(z.object({ set: nodeSet })).output(z.array(nodeDetails)),
  /**
   * Defines a virtual node and starts it. Ends when it is defined; `wait` tells when it has booted. Without `model`, the
   * first one that the image is for.
   */
  create: base
    .input(
      z.object({
        name: newNodeName,
        image: imageReference.optional(),
        model: virtualModel.optional(),
        /** As `config` takes them. */
        settings: z.array(typedSetting).max(64).default([]),
        yes,
      }),
    )
    .output(node),
  /** Removes a virtual node, or forgets a physical one that is off; its /persist folders go with it. */
  remove: base.input(z.object({ set: nodeSet, yes })).output(affected),
  /** Makes the nodes boot `image` (`default` for the free default image of their model), and reboots them. */
  boot: base
    .input(z.object({ set: nodeSet, image: z.union([imageReference, z.literal(DEFAULT_IMAGE)]), yes }))
    .output(ordered.extend({ image: z.string(), digest })),
  /**
   * Orders a reboot; ends when the order is out. `hard`: the power is cut and given back, without asking the node; refused where
   * nobody can.
   */
  reboot: base.input(z.object({ set: nodeSet, hard: z.boolean().default(false), yes })).output(ordered),
  /** Copies the nodes' default image into the caller's set where he has none, and boots it. */
  acquire: base.input(z.object({ set: nodeSet })).output(ordered),
  /** Gives nodes back: they boot their default image. */
  release: base.input(z.object({ set: nodeSet, yes })).output(ordered),
  /**
   * Lets logins and groups use nodes, until these are somebody else's or free; NOT_FOUND for who is none of the server's machine. Who is
   * in a group is asked while he uses a node.
   */
  allow: base.input(z.object({ set: nodeSet, ...namedGuests })).output(shared),
  /** Takes that back, of `all` or of those; what they have open there ends at once. */
  disallow: base
    .input(z.object({ set: nodeSet, ...namedGuests, all: z.boolean().default(false) }))
    .output(shared),
  rename: base.input(z.object({ name: nodeName, newName: newNodeName, yes })).output(node),
  /** What is set (NODE_SETTINGS), for the nodes of a set that are sorted by name. */
  settings: base.input(z.object({ set: nodeSet })).output(
    z.object({
      /** Only the settings that a node has, each with its value, be it set or not. */
      nodes: z.array(z.object({ name: nodeName, settings: z.array(settingValue) })),
      /** Values that only the server knows, by the name of the setting. */
      choices: z.record(z.string(), z.array(z.string())),
    }),
  ),
  /** Changes settings of all nodes of the set, or of none. `default` as value: as if it had never been set. */
  config: base
    .input(
      z.object({
        set: nodeSet,
        settings: z.array(typedSetting).min(1).max(64),
        yes,
      }),
    )
    // `reboot`: nodes that see the change with their next boot.
    .output(affected.extend({ reboot: z.array(nodeName) })),
  /** Its last boots, newest first; one that is ordered and has not begun is the first of them. */
  log: base
    .input(z.object({ name: nodeName, count: z.int().min(1).max(BOOTS_KEPT).default(BOOTS_KEPT) }))
    .output(z.array(nodeBoot)),
  /**
   * Ends when all nodes of the set have booted; TIMEOUT after `timeout` seconds, NOT_FOUND when one is removed, UNAVAILABLE when one
   * has failed as often as it may. Progress counts nodes.
   */
  wait: base
    .input(z.object({ set: nodeSet, timeout: z.number().positive().max(86_400).optional() }))
    .output(withProgress(affected)),
  ping,
  changes: nodeChangesContract,
};
