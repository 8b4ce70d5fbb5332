/** How the words of an instruction are told apart. Pure. */

/** At blanks that are neither quoted nor escaped; quotes and escapes stay in the words. */
export function splitWords(text: string, escaping: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (quote === '' && /[\s\x85]/.test(character)) {
      if (word !== '') words.push(word);
      word = '';
      continue;
    }
    word += character;
    if (character === escaping && quote !== "'") {
      at += 1;
      word += text[at] ?? '';
    } else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
  }
  if (word !== '') words.push(word);
  return words;
}

/** Those in which a blank ends a word, quoted or not. */
const BY_BLANKS = new Set(['ADD', 'COPY', 'EXPOSE', 'VOLUME']);

/** The words of an instruction; `mixed`: of a list that has something else than texts in it, there are none. */
export function wordsOf(keyword: string, text: string, escaping: string): string[] {
  const words = jsonWords(text);
  if (words !== undefined) return words === 'mixed' ? [] : words;
  return BY_BLANKS.has(keyword) ? text.split(/[\s\x85]+/).filter(Boolean) : splitWords(text, escaping);
}

/** The words of `["a", "b"]`; undefined: it is none; `mixed`: not all are texts. */
export function jsonWords(text: string): string[] | 'mixed' | undefined {
  if (!text.startsWith('[')) return undefined;
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    // Then it is for a shell: `[ -f x ] && …`.
    return undefined;
  }
  if (!Array.isArray(data)) return undefined;
  return data.every((word) => typeof word === 'string') ? data : 'mixed';
}

/** `NAME=VALUE …`, or `NAME VALUE`. A pair without a name, or without a value, is told as the word that it is. */
export function readPairs(
  text: string,
  escaping: string,
): { name: string; value: string }[] | { wrong: string } {
  const words = splitWords(text, escaping);
  const [first = ''] = words;
  if (!first.includes('=')) {
    const value = text.slice(text.search(/[\s\x85]|$/)).trim();
    return value === '' ? { wrong: text } : [{ name: first, value }];
  }
  const wrong = words.find((word) => word.indexOf('=') < 1);
  if (wrong !== undefined) return { wrong };
  return words.map((word) => {
    const at = word.indexOf('=');
    return { name: word.slice(0, at), value: word.slice(at + 1) };
  });
}
