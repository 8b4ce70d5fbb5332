/** What differs inside text files, as unified diff. Owns diff(1). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { ImageChange } from '@walt/contract';
import { ExternalError } from '../../platform/index.ts';
import type { Report } from '../progress.ts';
import { type Compared, openInTree } from './tree-diff.ts';

/** Bytes: larger files are not compared line by line. */
const MAX_FILE = 1024 * 1024;
/** Characters of all patches together; what comes after them is told without. */
const MAX_PATCHES = 8 * 1024 * 1024;

type Contents = Pick<ImageChange, 'lines' | 'patch'>;

const NONE: Contents = { lines: null, patch: null };

/** The same changes, with the lines of text files. */
export async function describeContents(
  changes: readonly Compared[],
  roots: { before: string; after: string },
  report: Report,
): Promise<ImageChange[]> {
  let patches = 0;
  const described: ImageChange[] = [];
  for (const [done, change] of changes.entries()) {
    report('Comparing text files', { done, total: changes.length });
    const { lines, patch } = await contentsOf(change, roots);
    patches += patch?.length ?? 0;
    described.push({ ...change.facts, lines, patch: patches > MAX_PATCHES ? null : patch });
  }
  return described;
}

async function contentsOf(
  { rawPath, facts }: Compared,
  roots: { before: string; after: string },
): Promise<Contents> {
  const { before, after, path } = facts;
  if ((before ?? 0) > MAX_FILE || (after ?? 0) > MAX_FILE || (before === null && after === null)) return NONE;
  await using old = before === null ? undefined : await openInTree(roots.before, rawPath);
  await using now = after === null ? undefined : await openInTree(roots.after, rawPath);
  const [was, is] = [await readBytes(old), await readBytes(now)];
  if (was.includes(0) || is.includes(0) || was.equals(is)) return NONE;
  const named = path.replace(/\p{Cc}/gu, '\uFFFD');
  const labels = [old ? `a${named}` : '/dev/null', now ? `b${named}` : '/dev/null'] as const;
  const patch =
    old && now ? await unifiedDiff(old, now, labels) : wholeFile([was.toString(), is.toString()], labels);
  return { lines: countLines(patch), patch };
}

/** Content of a file; empty for a missing one. */
async function readBytes(file: FileHandle | undefined): Promise<Buffer> {
  if (!file) return Buffer.alloc(0);
  // At an explicit position, so that diff(1) begins at the start.
  const { size } = await file.stat();
  const { buffer } = await file.read(Buffer.alloc(size), 0, size, 0);
  return buffer;
}

/** Both files are handed over open: their names never reach a command line. */
async function unifiedDiff(
  old: FileHandle,
  now: FileHandle,
  labels: readonly [string, string],
): Promise<string> {
  const argv = [
    ...['--text', '--unified', '--label', labels[0], '--label', labels[1]],
    ...['--', '/dev/fd/3', '/dev/fd/4'],
  ];
  const child = spawn('diff', argv, {
    stdio: ['ignore', 'pipe', 'pipe', old.fd, now.fd],
    env: { ...process.env, LC_ALL: 'C' },
  });
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new TypeError('diff has no output');
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [[status], output, complaint] = await Promise.all([closed, text(stdout), text(stderr)]);
  // diff(1): 1 means that they differ.
  if (status !== 0 && status !== 1) throw new ExternalError(['diff', ...argv], status, complaint);
  return output;
}

/** The unified diff of a file that is on one side only. */
export function wholeFile([was, is]: readonly [string, string], labels: readonly [string, string]): string {
  const sign = was === '' ? '+' : '-';
  const content = was === '' ? is : was;
  const lines = content.split('\n');
  const ended = lines.at(-1) === '';
  if (ended) lines.pop();
  const range = lines.length === 1 ? '1' : `1,${lines.length}`;
  const head = was === '' ? `@@ -0,0 +${range} @@` : `@@ -${range} +0,0 @@`;
  const body = [...lines.map((line) => sign + line), ...(ended ? [] : ['\\ No newline at end of file'])];
  return `${[`--- ${labels[0]}`, `+++ ${labels[1]}`, head, ...body].join('\n')}\n`;
}

/** Lines that a unified diff of one file adds and removes. */
export function countLines(patch: string): { added: number; removed: number } {
  const body = patch.split('\n').slice(2);
  const count = (sign: string) => body.filter((line) => line.startsWith(sign)).length;
  return { added: count('+'), removed: count('-') };
}
