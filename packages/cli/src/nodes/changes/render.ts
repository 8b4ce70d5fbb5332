/** Changes of a node, in a few lines or all. */
import type { NodeChange, NodePart } from '@walt/contract';
import { shortDigest } from '@walt/contract/values/digests';
import { renderChanges } from '../../images/shell/changes.ts';
import type { Paint } from '../../terminal/style.ts';
import { visibleName } from '../../terminal/visible.ts';

const COLOURS = { A: 'green', M: 'yellow', D: 'red' } as const;
const REASONS = { platform: "the platform's", list: 'left out of a save' } as const;

/** As `walt image shell` tells them: those that are saved, counted, with examples where they are not listed already. */
export function summary(changes: readonly NodeChange[], { isListed = false } = {}): string {
  const saved = changes.filter(({ leftOut }) => leftOut === null);
  const count = (kind: NodeChange['kind']) => saved.filter((change) => change.kind === kind).length;
  const sample = isListed ? [] : saved.map(({ kind, path }) => `${kind} ${path}`);
  return renderChanges({ added: count('A'), modified: count('M'), deleted: count('D'), sample });
}

/** One line per file; those that a save leaves out say so. */
export function allChanges(changes: readonly NodeChange[], paint: Paint): string {
  return changes
    .map(({ kind, path, leftOut }) => {
      const why = leftOut === null ? '' : `  (${REASONS[leftOut]})`;
      return `${paint(kind, COLOURS[kind])} ${visibleName(path)}${why}\n`;
    })
    .join('');
}

const PARTS = {
  image: 'image',
  platform: "the platform's own files",
  kernel: 'kernel',
  initramfs: 'initramfs',
} as const;

/** What a node runs, and of which parts it would be given others now. */
export function describeParts(node: string, image: string, parts: readonly NodePart[]): string {
  const runs = parts.find(({ part }) => part === 'image')?.ran ?? null;
  const lines = parts.flatMap(({ part, ran, now }) => {
    if (ran === now) return [];
    if (ran === null) return [`${PARTS[part]}: it is not known which one was given.`];
    if (now === null)
      return [`${PARTS[part]}: there is none any more; ${node} was given ${shortDigest(ran)}.`];
    return [
      `${PARTS[part]}: ${node} was given ${shortDigest(ran)}, and would be given ${shortDigest(now)} now.`,
    ];
  });
  const first = `${node} runs ${image}${runs === null ? '' : ` (${shortDigest(runs)})`}.`;
  return [first, ...lines].map((line) => `${line}\n`).join('');
}
