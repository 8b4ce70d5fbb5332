/**
 * Folder `words/help/`: the manual's pages on a terminal.
 *
 * This file: blocks of Markdown as text.
 */
import { displayWidth, type Paint } from '../../terminal/style.ts';
import { type Block, parseBlocks } from './blocks.ts';
import { renderGrid } from './grid.ts';
import { renderInline, wrap } from './inline.ts';

/** Text of at most `width` columns, but for code, which is never broken. */
export function renderMarkdown(markdown: string, width: number, paint: Paint): string {
  return `${renderBlocks(parseBlocks(markdown), Math.max(20, width), paint).join('\n')}\n`;
}

/** Lines; an empty one between blocks. */
function renderBlocks(blocks: readonly Block[], width: number, paint: Paint): string[] {
  return blocks.flatMap((block, index) => {
    const lines = renderBlock(block, width, paint);
    return index === 0 ? lines : ['', ...lines];
  });
}

function renderBlock(block: Block, width: number, paint: Paint): string[] {
  switch (block.kind) {
    case 'heading': {
      const text = renderInline(block.text, paint, ['bold']);
      return block.level === 1 ? [text, paint('═'.repeat(displayWidth(text)), 'dim')] : [text];
    }
    case 'paragraph':
      return wrap(renderInline(block.text, paint), width);
    case 'code':
      return block.lines.map((line) => (line === '' ? '' : `    ${paint(line, 'cyan')}`));
    case 'quote':
      return renderBlocks(block.blocks, width - 2, paint).map((line) => `${paint('│', 'dim')} ${line}`);
    case 'list':
      return renderList(block.items, width, paint);
    case 'table':
      return renderGrid(
        block.header.map((cell) => renderInline(cell, paint, ['bold'])),
        block.rows.map((row) => row.map((cell) => renderInline(cell, paint))),
        width,
        paint,
      );
    case 'rule':
      return [paint('─'.repeat(width), 'dim')];
  }
}

function renderList(
  items: readonly { marker: string; blocks: Block[] }[],
  width: number,
  paint: Paint,
): string[] {
  const isLoose = items.some(({ blocks }) => blocks.filter(({ kind }) => kind !== 'list').length > 1);
  return items.flatMap(({ marker, blocks }, index) => {
    const sign = /\d/.test(marker) ? marker : '•';
    const indent = ' '.repeat(sign.length + 1);
    const inner = blocks.flatMap((block, position) => {
      const lines = renderBlock(block, width - 2 - indent.length, paint);
      return position > 0 && block.kind !== 'list' ? ['', ...lines] : lines;
    });
    const lines = inner.map((line, row) =>
      line === '' ? '' : `  ${row === 0 ? `${sign} ` : indent}${line}`,
    );
    return isLoose && index > 0 ? ['', ...lines] : lines;
  });
}
