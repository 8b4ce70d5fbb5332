import { oc } from '@orpc/contract';
import * as z from 'zod';
import { buildContract } from './build.ts';
import { crossContract } from './cross.ts';
import { errors } from './errors.ts';
import { imageHistoryCalls } from './image-history.ts';
import { withProgress } from './progress.ts';
import { imageRegistryCalls } from './registry.ts';
import { runContract } from './run.ts';
import { lostChange, savedImage } from './saved.ts';
import {
  architecture,
  digest,
  guests,
  imageName,
  imageReference,
  imageVersion,
  namedGuests,
  nodeName,
  sessionId,
} from './schemas.ts';
import { IMAGE_VISIBILITIES } from './values/index.ts';

const base = oc.errors(errors);

export const imageVisibility = z.enum(IMAGE_VISIBILITIES);

/** What an image may lack and nodes then get from the platform: `ssh` is the SSH server, `shell` is `/bin/sh`. */
export const lend = z.enum(['kernel', 'init', 'ssh', 'shell']);
export type Lend = z.infer<typeof lend>;

export const image = z.object({
  /** `owner/name`. */
  fullName: z.string(),
  owner: z.string(),
  name: z.string(),
  digest,
  architecture,
  /** Unix time in seconds when this digest was made. */
  created: z.number(),
  /** Bytes of its layers, unpacked. */
  size: z.number(),
  layers: z.number(),
  /** Kernel release that nodes boot, its own or a lent one; null: it cannot boot. */
  kernel: z.string().nullable(),
  /** Kernel release that real nodes boot, where it is another one than virtual nodes do; else null. */
  realKernel: z.string().nullable(),
  bootPlan: z.enum(['volumes', 'nfs-root']).nullable(),
  /** Node models that it is for; they can boot it unless `kernel` is null. */
  models: z.array(z.string()),
  /** What it lacks, which nodes get from the platform; empty for an image that is complete. */
  lends: z.array(lend),
  /** Names of the nodes that boot it. */
  nodes: z.array(nodeName),
  /** True while a shell session is open on it or waits to be saved. */
  session: z.boolean(),
  /** Who sees it beside its owner and administrators: nobody, some, everybody. */
  visibility: imageVisibility,
});
export type Image = z.infer<typeof image>;

export const shellSession = z.object({
  id: sessionId,
  /** `owner/name` that it was opened on. */
  image: z.string(),
  architecture,
  /** True when binaries run under CPU emulation. */
  emulated: z.boolean(),
  /** True when the image's own init runs, since it brings the programs for that; else the shell is the only process. */
  init: z.boolean(),
  /** `running`: its shell runs, attached or not; `exited`: waits to be saved or discarded. */
  state: z.enum(['running', 'exited']),
  attached: z.boolean(),
  opened: z.number(),
});
export type ShellSession = z.infer<typeof shellSession>;

const yes = z.boolean().default(false);

export const imageContract = {
  /** The caller's images; with `all`, everybody's. Sorted by owner and name. */
  list: base.input(z.object({ all: z.boolean().default(false) })).output(z.array(image)),
  get: base.input(z.object({ image: imageReference })).output(image),
  /** Points a name in the caller's set to an image, or to an older version of one. */
  duplicate: base.input(z.object({ image: imageVersion, newName: imageName, yes })).output(image),
  rename: base.input(z.object({ image: imageReference, newName: imageName })).output(image),
  /**
   * Says who else sees the image and uses it: nobody, everybody, or, if it is `shared`, those logins and groups and nobody else. NOT_FOUND for
   * who is none of the server's machine.
   */
  allow: base
    .input(z.object({ image: imageReference, visibility: imageVisibility, ...namedGuests }))
    .output(guests.extend({ image: z.string(), visibility: imageVisibility })),
  remove: base.input(z.object({ image: imageReference, yes })).output(
    z.object({
      removed: z.string(),
      /** Days for which it can be brought back. */
      keepDays: z.number(),
      /** Bytes on disk that it takes until then, and nothing else needs. */
      size: z.number(),
    }),
  ),
  /** Makes one layer of all layers, under the image's own name or `newName`. CONFLICT when a name moves meanwhile. */
  squash: base
    .input(z.object({ image: imageReference, newName: imageName.optional(), yes }))
    .output(withProgress(savedImage)),
  ...imageRegistryCalls,
  ...imageHistoryCalls,
  /**
   * Makes the platform's default image for one architecture, from Debian packages, if it is missing or `renew`. With `model`, that
   * of its architecture, and the firmware that it loads, where the configuration allows that. UNAVAILABLE when that image is not
   * for `model`.
   */
  makeDefault: base
    .input(
      z.object({
        architecture: architecture.optional(),
        model: z.string().max(63).optional(),
        renew: z.boolean().default(false),
      }),
    )
    .output(
      withProgress(
        z.object({
          image: z.string(),
          digest,
          made: z.boolean(),
          /** Models that it is for. */
          models: z.array(z.string()),
          /** Why nodes of `model` cannot load their firmware, and what to do; null: they can, or need none. */
          lack: z.string().nullable(),
        }),
      ),
    ),
  build: buildContract,
  cross: crossContract,
  run: runContract,
  shell: {
    /** The caller's sessions on one image, or all of his. */
    list: base.input(z.object({ image: imageReference.optional() })).output(z.array(shellSession)),
    /** Starts a new session. CONFLICT when one waits on that image: resume it, or save or discard it first. */
    open: base.input(z.object({ image: imageReference })).output(shellSession),
    /** What the session changed so far. */
    changes: base.input(z.object({ session: sessionId })).output(
      z.object({
        added: z.number(),
        modified: z.number(),
        deleted: z.number(),
        /** Up to 20 paths as examples, each with `A`, `M` or `D` and a blank in front. */
        sample: z.array(z.string()),
        /** What will not be saved. */
        lost: z.array(lostChange),
        /** What the user should know of the shell's end, in a sentence. */
        note: z.string().nullable(),
        /** A sentence that tells why the session cannot be saved as it is; null: it can. */
        refusal: z.string().nullable(),
        /** Nodes that boot the session's image now. */
        nodes: z.array(nodeName),
      }),
    ),
    /** Saves the change as a new layer under `name` (default: the image it was opened on); the session is over. */
    save: base
      .input(z.object({ session: sessionId, name: imageName.optional(), yes }))
      .output(withProgress(savedImage)),
    discard: base.input(z.object({ session: sessionId })).output(z.object({ discarded: sessionId })),
  },
};
