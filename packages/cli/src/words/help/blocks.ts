/** The manual's Markdown as blocks: the part of CommonMark, with tables, that the pages in `docs/` use. */
export type Block =
  | { kind: 'heading'; level: number; text: string }
  | { kind: 'paragraph'; text: string }
  | { kind: 'code'; lines: string[] }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'list'; items: { marker: string; blocks: Block[] }[] }
  | { kind: 'table'; header: string[]; rows: string[][] }
  | { kind: 'rule' };

const ITEM = /^(\s*)([-*+]|\d{1,3}[.)])(\s+)(.*)$/;
const FENCE = /^\s*(```+|~~~+)/;
const TABLE_RULE = /^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$/;

export function parseBlocks(text: string): Block[] {
  return parseLines(text.replace(/<!--[\s\S]*?-->/g, '').split(/\r?\n/));
}

function parseLines(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  const take = (block: Block, end: number) => {
    blocks.push(block);
    at = end;
  };
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (line.trim() === '') at += 1;
    else if (heading)
      take({ kind: 'heading', level: heading[1]?.length ?? 1, text: heading[2] ?? '' }, at + 1);
    else if (FENCE.test(line)) take(...parseFence(lines, at));
    else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) take({ kind: 'rule' }, at + 1);
    else if (line.startsWith('>')) take(...parseQuote(lines, at));
    else if (ITEM.test(line)) take(...parseList(lines, at));
    else if (/^ {4}/.test(line)) take(...parseIndented(lines, at));
    else if (line.includes('|') && TABLE_RULE.test(lines[at + 1] ?? '')) take(...parseTable(lines, at));
    else take(...parseParagraph(lines, at));
  }
  return blocks;
}

type Parsed = [block: Block, end: number];

/** Index of the first line from `start` on that `belongs` refuses. */
function endOf(lines: readonly string[], start: number, belongs: (line: string) => boolean): number {
  let end = start;
  while (end < lines.length && belongs(lines[end] ?? '')) end += 1;
  return end;
}

function parseFence(lines: readonly string[], start: number): Parsed {
  const fence = FENCE.exec(lines[start] ?? '')?.[1] ?? '```';
  const end = endOf(lines, start + 1, (line) => !line.trim().startsWith(fence));
  return [{ kind: 'code', lines: lines.slice(start + 1, end) }, end + 1];
}

function parseIndented(lines: readonly string[], start: number): Parsed {
  const end = endOf(lines, start, (line) => /^ {4}/.test(line) || line.trim() === '');
  const code = lines.slice(start, end).map((line) => line.slice(4));
  while (code.at(-1)?.trim() === '') code.pop();
  return [{ kind: 'code', lines: code }, end];
}

function parseQuote(lines: readonly string[], start: number): Parsed {
  const end = endOf(lines, start, (line) => line.startsWith('>'));
  const inner = lines.slice(start, end).map((line) => line.replace(/^> ?/, ''));
  return [{ kind: 'quote', blocks: parseLines(inner) }, end];
}

function parseTable(lines: readonly string[], start: number): Parsed {
  const end = endOf(lines, start + 2, (line) => line.includes('|'));
  const rows = lines.slice(start + 2, end).map(tableCells);
  return [{ kind: 'table', header: tableCells(lines[start] ?? ''), rows }, end];
}

/** A bar inside code or after a backslash separates nothing. */
function tableCells(line: string): string[] {
  const bare = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  const cells = bare.match(/(?:\\\||`[^`]*`|[^|])+/g) ?? [];
  return cells.map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function parseParagraph(lines: readonly string[], start: number): Parsed {
  const ends = (line: string) =>
    line.trim() === '' ||
    /^#{1,6}\s/.test(line) ||
    FENCE.test(line) ||
    line.startsWith('>') ||
    ITEM.test(line);
  const end = endOf(lines, start + 1, (line) => !ends(line));
  const text = lines.slice(start, end).map((line) => line.trim());
  return [{ kind: 'paragraph', text: text.join(' ') }, end];
}

function parseList(lines: readonly string[], start: number): Parsed {
  const indent = ITEM.exec(lines[start] ?? '')?.[1]?.length ?? 0;
  const items: { marker: string; blocks: Block[] }[] = [];
  let at = start;
  for (;;) {
    const match = ITEM.exec(lines[at] ?? '');
    if (!match || (match[1]?.length ?? 0) !== indent) break;
    const [, before = '', marker = '', gap = ' ', first = ''] = match;
    const depth = before.length + marker.length + gap.length;
    const end = endOfItem(lines, at + 1, depth, indent);
    const inner = lines.slice(at + 1, end).map((line) => line.slice(Math.min(depth, line.search(/\S|$/))));
    items.push({ marker, blocks: parseLines([first, ...inner]) });
    at = end;
  }
  return [{ kind: 'list', items }, at];
}

/** An item goes on while lines are indented as its text, or continue its paragraph; blank lines may stand between. */
function endOfItem(lines: readonly string[], start: number, depth: number, indent: number): number {
  let end = start;
  for (let at = start; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (line.trim() === '') continue;
    const lead = line.search(/\S/);
    const continues =
      lead >= depth ||
      (lead > indent && ITEM.test(line)) ||
      (at === end && !ITEM.test(line) && lead > indent);
    if (!continues) break;
    end = at + 1;
  }
  // Blank lines between items belong to the list.
  const next = endOf(lines, end, (line) => line.trim() === '');
  return ITEM.test(lines[next] ?? '') && (lines[next] ?? '').search(/\S/) === indent ? next : end;
}
