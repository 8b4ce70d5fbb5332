/** What a session changed, in a few lines. */
import { visibleName } from '../../terminal/visible.ts';

interface Changes {
  added: number;
  modified: number;
  deleted: number;
  sample: readonly string[];
}

const SHOWN = 8;

export function renderChanges({ added, modified, deleted, sample }: Changes): string {
  const counts = [
    [added, 'added'],
    [modified, 'modified'],
    [deleted, 'deleted'],
  ] as const;
  const total = added + modified + deleted;
  const told = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  const lines = sample.slice(0, SHOWN).map((path) => `  ${visibleName(path)}`);
  if (total > lines.length && lines.length > 0) lines.push(`  and ${total - lines.length} more`);
  return [`You changed files: ${told.join(', ')}.`, ...lines].join('\n');
}
