/** Calls about the versions of images: what was done to them, what differs, back and forth, and what is kept. */
import { oc } from '@orpc/contract';
import * as z from 'zod';
import { errors } from './errors.ts';
import { withProgress } from './progress.ts';
import { digest, guests, imagePath, imageReference, imageVersion, nodeName } from './schemas.ts';

const base = oc.errors(errors);

/** What moved a name to where it points. */
const action = z.string();

/** A step in the history of an image. */
export const imageStep = z.object({
  /** `n` of `NAME@{n}`, by which this version can be named; null: the step removed the name. */
  version: z.number().nullable(),
  digest: digest.nullable(),
  /** Unix time in seconds. */
  at: z.number(),
  user: z.string(),
  action,
  /** As what was copied or cloned; empty where there is nothing to say. */
  detail: z.string(),
  /** Bytes, unpacked, of the layers that came to the platform with this step; null: not known. */
  added: z.number().nullable(),
  /** False: this version was given up and cannot be had any more. */
  kept: z.boolean(),
});
export type ImageStep = z.infer<typeof imageStep>;

export const imageLayer = z.object({
  /** Diff ID. */
  digest,
  /** Bytes, unpacked; null: not known. */
  size: z.number().nullable(),
  /** Bytes of the volume that nodes mount; null: not known. */
  volume: z.number().nullable(),
  /** Which step brought it to the platform; null: not known. */
  made: z.object({ action, user: z.string(), at: z.number(), detail: z.string() }).nullable(),
  /** True when another name's image has it too. */
  shared: z.boolean(),
});
export type ImageLayer = z.infer<typeof imageLayer>;

export const imageDetails = z.object({
  /** Of a shared image. */
  sharedWith: guests,
  /** Its layers, top first. */
  stack: z.array(imageLayer),
  /** Bytes on the server's disk: layers as the server changes them, and volumes as nodes mount them. */
  disk: z.number(),
  /** How many of these bytes are shared with other images. */
  shared: z.number(),
  /** Older versions that are kept. */
  versions: z.number(),
  /** Nodes that boot it and still run an older version. */
  outdated: z.array(nodeName),
});
export type ImageDetails = z.infer<typeof imageDetails>;

export const imageChange = z.object({
  /** Added, modified, deleted. */
  kind: z.enum(['A', 'M', 'D']),
  /** Absolute, as the image sees it. Bytes that are no UTF-8 are shown as U+FFFD. */
  path: z.string(),
  type: z.enum(['file', 'folder', 'link', 'other']),
  /** Bytes before and after; null where it is no file there. */
  before: z.number().nullable(),
  after: z.number().nullable(),
  /** Of text files, when asked for: lines that came and went. */
  lines: z.object({ added: z.number(), removed: z.number() }).nullable(),
  /** Of text files, when asked for: unified diff (diff(1)); null: binary, too large, or not asked for. */
  patch: z.string().nullable(),
});
export type ImageChange = z.infer<typeof imageChange>;

const versionNamed = z.object({ image: z.string(), digest });

export const collectedVersion = z.object({
  digest,
  /** `owner/name` whose version it was, the last one; null: not known. */
  image: z.string().nullable(),
  /** Unix time in seconds when that name left it; null: not known. */
  left: z.number().nullable(),
  /** Bytes on disk of its layers that nothing that stays needs; those of several such versions count for each. */
  size: z.number(),
});
export type CollectedVersion = z.infer<typeof collectedVersion>;

export const imageHistoryCalls = {
  /** What an image is made of and what it takes. */
  details: base.input(z.object({ image: imageReference })).output(imageDetails),
  /** Newest first; also of a name that was removed. */
  log: base.input(z.object({ image: imageReference })).output(z.array(imageStep)),
  /** What differs between two versions, sorted by path. Without `other`, between the version before `image`, and `image`. */
  diff: base
    .input(
      z.object({
        image: imageVersion,
        /** What it became. */
        other: imageVersion.optional(),
        /** Only these files, and what is in these folders. */
        paths: z.array(imagePath).max(1000).default([]),
        /** Whether to compare the lines of text files. */
        contents: z.boolean().default(false),
      }),
    )
    .output(withProgress(z.object({ from: versionNamed, to: versionNamed, changes: z.array(imageChange) }))),
  /**
   * Moves a name back to its previous version, or brings a removed name back; doing it again moves it forth. CONFLICT when the
   * name moves meanwhile, NOT_FOUND when there is no version before, or it is no longer kept.
   */
  undo: base.input(z.object({ image: imageReference })).output(
    z.object({
      image: z.string(),
      digest,
      /** What the name pointed to before; null: it had been removed. */
      previous: digest.nullable(),
      /** The step that was undone. */
      undone: z.object({ action, user: z.string(), at: z.number(), detail: z.string() }),
      /** Nodes that boot this name and run another version. */
      nodes: z.array(nodeName),
    }),
  ),
  /**
   * Removes the versions that the server's settings do not keep, as the server does by itself; with `image`, also all older
   * versions of that one, which may be removed itself: CONFIRM when there are such. With `dryRun`, tells which these are.
   */
  prune: base
    .input(
      z.object({
        image: imageReference.optional(),
        dryRun: z.boolean().default(false),
        yes: z.boolean().default(false),
      }),
    )
    .output(
      withProgress(
        z.object({
          removed: z.array(collectedVersion),
          /** Bytes on disk of all of them. */
          size: z.number(),
          keepVersions: z.number(),
          keepDays: z.number(),
        }),
      ),
    ),
};
