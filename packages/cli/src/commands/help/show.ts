import { Command } from 'commander';
import { page } from '../../help/pager.ts';
import { renderMarkdown } from '../../help/render.ts';
import { readTopic } from '../../help/topics.ts';
import { paintOutput } from '../../output.ts';

/** Longer lines are tiring to read, however wide the terminal is. */
const WIDEST = 100;

export function command(): Command {
  return new Command().argument('[topic]', 'see `walt help list`', 'intro').action(async (topic: string) => {
    const text = await readTopic(topic);
    const width = Math.min(process.stdout.columns ?? 80, WIDEST);
    await page(renderMarkdown(text, width, paintOutput()));
  });
}
