/** What a backup says of itself: the file that is written last. Pure. */
import { createHash } from 'node:crypto';
import { digest } from '@walt/contract';
import * as z from 'zod';
import { UserError } from '../platform/index.ts';

/** Raise it when an older WalT could no longer restore what this one writes. */
export const FORMAT_VERSION = 1;
const FORMAT = 'walt-backup';

const blob = z.object({ digest, size: z.int().min(0) });
export type Blob = z.infer<typeof blob>;

/** One name in a folder: a backup says where files go. */
const segment = z
  .string()
  .max(255)
  .regex(/^[^/\0]+$/)
  .refine((name) => name !== '.' && name !== '..');
const path = z.array(segment).min(1).max(64);

const savedFile = blob.extend({
  /** Whether its path begins in the state folder, or at the machine's root. */
  in: z.enum(['state', 'machine']),
  path,
  mode: z.int().min(0).max(0o7777),
});
export type SavedFile = z.infer<typeof savedFile>;

const savedImage = z.object({
  /** Digest of its configuration, by which the platform knows it. */
  configuration: blob,
  /** As skopeo's transport `dir` has it: its layers are plain tars, of which the digest is the diff ID. */
  manifest: blob,
  /** Bottom first. */
  layers: z.array(blob).min(1),
});
export type SavedImage = z.infer<typeof savedImage>;

const savedDisk = z.object({
  /** Of the file, in the state folder. */
  path,
  size: z.int().min(0),
  /** A list of pieces: see disk-pieces.ts. */
  pieces: blob,
});
export type SavedDisk = z.infer<typeof savedDisk>;

const content = z.object({
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION),
  /** Version of WalT that wrote it. */
  walt: z.string(),
  /** Number of the platform. */
  platform: z.string(),
  /** Unix time in seconds. */
  at: z.int(),
  database: blob,
  files: z.array(savedFile),
  images: z.array(savedImage),
  /** Large files that change in part: file systems of /persist, disks of virtual nodes, the database of lines. */
  disks: z.array(savedDisk),
  /** Digests of images that the database names and the store did not have whole. */
  missing: z.array(digest),
});
export type Generation = z.infer<typeof content>;

export function describeGeneration(saved: Omit<Generation, 'format' | 'version'>): Generation {
  return { format: FORMAT, version: FORMAT_VERSION, ...saved };
}

export function renderGeneration(generation: Generation): string {
  return `${JSON.stringify({ digest: digestOf(generation), content: generation })}\n`;
}

/** Throws UserError INVALID: torn, or of a newer version. `name` is for the message. */
export function parseGeneration(text: string, name: string): Generation {
  const outer = z.object({ digest, content: z.looseObject({}) }).safeParse(json(text));
  if (!outer.success || digestOf(outer.data.content) !== outer.data.digest) throw torn(name);
  requireKnownVersion(outer.data.content, name);
  const inner = content.safeParse(outer.data.content);
  if (!inner.success) throw torn(name);
  return inner.data;
}

const marker = z.object({ format: z.literal(FORMAT), version: z.int(), platform: z.string() });

/** `walt-backup.json`: what a folder of backups is known by. */
export function renderMarker(platform: string): string {
  return `${JSON.stringify({ format: FORMAT, version: FORMAT_VERSION, platform })}\n`;
}

/** The platform's number. Throws UserError INVALID for what is none of ours, or newer. */
export function parseMarker(text: string, folder: string): string {
  const found = marker.safeParse(json(text));
  if (!found.success) throw noBackup(folder);
  requireKnownVersion(found.data, folder);
  return found.data.platform;
}

function requireKnownVersion(known: { version?: unknown; walt?: unknown }, name: string): void {
  if (!(Number(known.version) > FORMAT_VERSION)) return;
  const by = typeof known.walt === 'string' ? `WalT ${known.walt.slice(0, 40)}` : 'a newer WalT';
  throw new UserError(
    'INVALID',
    `${name} was written by ${by}, in a form that this one does not know.`,
    'Use a WalT that is at least as new.',
  );
}

export function noBackup(folder: string): UserError {
  return new UserError(
    'INVALID',
    `${folder} is no folder of backups of WalT.`,
    'Name the folder that was given to: walt-server backup',
  );
}

export function torn(name: string, why = 'its list does not have the digest that it says'): UserError {
  return new UserError(
    'INVALID',
    `The backup ${name} is torn: ${why}.`,
    'Use another one: walt-server restore FOLDER --list, then --from NAME',
  );
}

/** Of what `disks` has: file systems of /persist, disks of virtual nodes, and whether lines of logs are among them. */
export function countsOf({ disks }: Pick<Generation, 'disks'>): {
  disks: number;
  nodeDisks: number;
  lines: boolean;
} {
  const kinds = disks.map(({ path }) => (path.length === 1 ? 'lines' : path[0]));
  const persist = kinds.filter((kind) => kind === 'persist').length;
  const lines = kinds.includes('lines');
  return { disks: persist, nodeDisks: kinds.length - persist - Number(lines), lines };
}

/** All contents that it has, those that lists of pieces name aside. */
export function blobsOf({ database, files, images, disks }: Generation): Blob[] {
  return [
    database,
    ...files.map(({ digest, size }) => ({ digest, size })),
    ...images.flatMap(({ configuration, manifest, layers }) => [configuration, manifest, ...layers]),
    ...disks.map(({ pieces }) => pieces),
  ];
}

const NAME = /^\d{8}T\d{6}Z$/;

/** Of Unix seconds, as `20261129T203000Z`: backups sort by it. */
export function generationName(at: number): string {
  return new Date(at * 1000).toISOString().replace(/\.\d+|[-:]/g, '');
}

export function isGenerationName(name: string): boolean {
  return NAME.test(name);
}

function digestOf(value: unknown): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('hex')}`;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
