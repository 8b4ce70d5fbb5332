import { Command } from 'commander';
import { paintOutput } from '../../terminal/output.ts';
import { page } from '../../terminal/pager.ts';
import { renderMarkdown } from '../../words/help/render.ts';
import { readTopic } from '../../words/help/topics.ts';

/** Longer lines are tiring to read, however wide the terminal is. */
const WIDEST = 100;

export function command(): Command {
  return new Command().argument('[topic]', 'see `walt help list`', 'intro').action(async (topic: string) => {
    const text = await readTopic(topic);
    const width = Math.min(process.stdout.columns ?? 80, WIDEST);
    await page(renderMarkdown(text, width, paintOutput()));
  });
}
