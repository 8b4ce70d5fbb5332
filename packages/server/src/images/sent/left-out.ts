/** Which changes of a running machine are not saved: what the platform put there, and what a list names. Pure, but for reading it. */
import { readFile } from 'node:fs/promises';
import { type BrokenLine, IgnoreRules, parseIgnoreRules } from '@walt/contract';
import { projectFile, UserError } from '../../platform/index.ts';
import { rawOf, type Tree } from '../../trees/index.ts';
import type { Change, Entry } from '../saves/index.ts';

export interface SentChange extends Change {
  /** Why it is not saved: it is the `platform`'s, or the `list` names it. Null: it is saved. */
  leftOut: 'platform' | 'list' | null;
}

/** What the platform put beside the image: files and links, and folders of which all is the platform's. Paths as bytes. */
export interface NotOfImage {
  files: ReadonlySet<string>;
  folders: readonly string[];
}

/** Where an image has a list of its own, which goes behind the platform's. */
const OWN_LIST = '/etc/walt/node-save.ignore';
const MAX_LIST = 64 * 1024;

/** Throws UserError INVALID when the image's list has a line that is no pattern. */
export async function readList(image: Tree): Promise<IgnoreRules> {
  const common = await readFile(projectFile('packages/node/changes/node-save.ignore'), 'utf8');
  const own = await image.readText(OWN_LIST, MAX_LIST);
  // Names are bytes: so are patterns.
  const rules = own === undefined ? undefined : parseIgnoreRules(rawOf(own));
  if (rules !== undefined && !(rules instanceof IgnoreRules)) throw broken(rules);
  const all = parseIgnoreRules(rawOf(`${common}\n${own ?? ''}`));
  if (!(all instanceof IgnoreRules)) throw new TypeError('the platform has a broken list');
  return all;
}

function broken(rules: BrokenLine | 'many'): UserError {
  const what =
    rules === 'many'
      ? 'has too many lines'
      : `has ${JSON.stringify(rules.pattern.slice(0, 80))} in line ${rules.line}, which is no pattern`;
  return new UserError('INVALID', `${OWN_LIST} of the image ${what}.`, 'Mend it in: walt image shell');
}

/** True for what the platform put there. */
export function isNotOfImage(path: string, { files, folders }: NotOfImage): boolean {
  return files.has(path) || folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** The tree without what is left out. A folder that a list names stays where something in it is wanted after all. */
export function withoutLeftOut(root: Entry, list: IgnoreRules, platform: NotOfImage): Entry {
  return { ...root, children: keptOf(root.children, list, platform) };
}

function keptOf(entries: readonly Entry[], list: IgnoreRules, platform: NotOfImage): Entry[] {
  return entries.flatMap((entry) => {
    if (isNotOfImage(entry.path, platform)) return [];
    const { omitted, inside } = list.look(entry.path.slice(entry.path.lastIndexOf('/') + 1));
    const children = keptOf(entry.children, inside, platform);
    return omitted && children.length === 0 ? [] : [{ ...entry, children }];
  });
}
