/** Everything that is on walt-net. */
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { ping, settingValue, typedSetting } from './node.ts';
import { deviceNote } from './notes.ts';
import { macAddress, newNodeName, nodeName } from './schemas.ts';

const base = oc.errors(errors);

/** Text of machines is bounded, and printable ASCII: other bytes are shown as `\xNN`. Null: it never told, or there is none. */
export const device = z.object({
  name: nodeName,
  ip: z.ipv4().nullable(),
  mac: z.string().nullable(),
  /** `server`, `node (virtual)`, `node (physical)` or `unknown`. */
  type: z.string(),
  /** Who made its network adapter, by its hardware address. */
  vendor: z.string().nullable(),
  /** Port of the server on which it was last heard: an adapter, or the tap of a virtual node. */
  port: z.string().nullable(),
  /** The port of a switch that a node says it is plugged into, as the switch calls it; `at`: Unix time in seconds when it said so. */
  neighbour: z.object({ mac: macAddress, port: z.string(), at: z.number() }).nullable(),
  /** The name that it asked for. */
  hostname: z.string().nullable(),
  vendorClass: z.string().nullable(),
  userClass: z.string().nullable(),
  /** The kind of firmware that asked last and told. */
  firmware: z.string().nullable(),
  /** Boot files that it asked for last, each as `tftp:PATH` or `http:PATH`. */
  files: z.array(z.string()),
  /** Unix times in seconds when it was first and last heard; null for the server itself. */
  first: z.number().nullable(),
  last: z.number().nullable(),
  notes: z.array(deviceNote),
});
export type Device = z.infer<typeof device>;

export const deviceContract = {
  /** The server, nodes, and whatever else asked for an address. */
  list: base.output(z.array(device)),
  rename: base
    .input(z.object({ name: nodeName, newName: newNodeName, yes: z.boolean().default(false) }))
    .output(device),
  /**
   * With the settings `type` (`node`) and `model`, an unknown device becomes a node. A node has those of `node.config`. Answers what
   * holds then, and whether a reboot brings it.
   */
  config: base
    .input(
      z.object({
        name: nodeName,
        settings: z.array(typedSetting).max(20).default([]),
        yes: z.boolean().default(false),
      }),
    )
    .output(z.object({ device, settings: z.array(settingValue), reboot: z.boolean() })),
  /** Forgets what is kept of a device that is off, or of a free physical node. */
  forget: base
    .input(z.object({ name: nodeName, yes: z.boolean().default(false) }))
    .output(z.object({ name: nodeName })),
  ping,
};
