/** The manual: `docs/NAME.md` of this checkout. Pages for developers are not part of it. */
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AbortError, hasCode } from '@walt/client/errors';
import { checkoutFolder } from '../../checkout.ts';
import { nearest } from '../near.ts';

const NOT_TOPICS = new Set(['architecture', 'README']);
/** Titles stand in the first line. */
const HEAD_BYTES = 400;

export interface Topic {
  name: string;
  title: string;
}

function docsFolder(): string {
  return join(checkoutFolder(), 'docs');
}

/** Sorted by name. */
export async function listTopics(): Promise<Topic[]> {
  const folder = docsFolder();
  const names = await topicNames(folder);
  return Promise.all(
    names.map(async (name) => ({ name, title: await readTitle(join(folder, `${name}.md`)) })),
  );
}

/** A topic's markdown. Throws NOT_FOUND. */
export async function readTopic(name: string): Promise<string> {
  const folder = docsFolder();
  const names = await topicNames(folder);
  if (names.includes(name)) return readFile(join(folder, `${name}.md`), 'utf8');
  const guess = nearest(name, names);
  throw new AbortError(
    'NOT_FOUND',
    `The manual has no topic "${name}".`,
    guess === undefined ? '`walt help list` lists its topics.' : `Did you mean \`walt help show ${guess}\`?`,
  );
}

async function topicNames(folder: string): Promise<string[]> {
  try {
    const files = await readdir(folder);
    return files
      .flatMap((file) => (file.endsWith('.md') ? [file.slice(0, -'.md'.length)] : []))
      .filter((name) => !NOT_TOPICS.has(name))
      .sort();
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new AbortError(
      'NOT_FOUND',
      `The manual is missing: there is no ${folder}.`,
      'Repair the installation.',
    );
  }
}

async function readTitle(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const text = buffer.toString('utf8', 0, bytesRead);
    return /^#\s+(.+)$/m.exec(text)?.[1]?.trim() ?? '';
  } finally {
    await file.close();
  }
}
