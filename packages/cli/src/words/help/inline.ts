/** Marks inside a paragraph, and breaking it into lines. */
import { type Colour, displayWidth, type Paint } from '../../terminal/style.ts';

/** Code first: what stands in it is no mark. */
const MARKS =
  /`([^`]+)`|\*\*(.+?)\*\*|(?<![\w*])\*([^*\s][^*]*)\*(?!\w)|\[([^\]]+)\]\(([^)\s]+)\)|\\([\\`*_[\]|<>#])/g;

/** `base` colours hold where no mark says otherwise. */
export function renderInline(text: string, paint: Paint, base: readonly Colour[] = []): string {
  let out = '';
  let last = 0;
  const plain = (part: string) => paintWords(part, paint, base);
  for (const match of text.matchAll(MARKS)) {
    const [whole, code, strong, emphasis, label, target, escaped] = match;
    out += plain(text.slice(last, match.index));
    last = match.index + whole.length;
    if (code !== undefined) out += paintWords(code, paint, [...base, 'cyan']);
    else if (strong !== undefined) out += renderInline(strong, paint, [...base, 'bold']);
    else if (emphasis !== undefined) out += renderInline(emphasis, paint, [...base, 'yellow']);
    else if (label !== undefined) out += renderLink(label, target ?? '', paint, base);
    else out += plain(escaped ?? '');
  }
  return out + plain(text.slice(last));
}

/** Word by word: a colour that went over the end of a line would also colour what stands beside it. */
function paintWords(text: string, paint: Paint, colours: readonly Colour[]): string {
  return text.replace(/[^ ]+/g, (word) => paint(word, ...colours));
}

/** Another page of the manual is named by the command that opens it. */
function renderLink(label: string, target: string, paint: Paint, base: readonly Colour[]): string {
  const page = /^(?:\.\/)?([\w-]+)\.md(?:#.*)?$/.exec(target)?.[1];
  const text = renderInline(label, paint, [...base, 'blue']);
  if (page !== undefined) {
    const open = `walt help show ${page}`;
    return label.includes(open) ? text : `${text} (${paintWords(open, paint, [...base, 'cyan'])})`;
  }
  return target.startsWith('#') || target === label ? text : `${text} (${target})`;
}

/** Lines of at most `width` columns; a word that is longer stands alone. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const word of text.split(/ +/)) {
    const length = displayWidth(word);
    if (line !== '' && used + 1 + length > width) {
      lines.push(line);
      line = word;
      used = length;
    } else {
      used += length + (line === '' ? 0 : 1);
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
