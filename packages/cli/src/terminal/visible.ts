/**
 * Text made fit for a terminal: what would steer it (ECMA-48), or turn the direction of writing (Unicode TR 9), is shown instead.
 * All that walt prints goes through `terminalText`, since names, errors and progress come from servers, images and registries.
 */

/** Stands in front of our own sequences. Nobody outside this process knows it: what others send never looks like ours. */
const OURS = `\x1b<${Math.random().toString(36).slice(2)}>`;
const OWN_SEQUENCES = new RegExp(`${OURS}(\\[[0-9;]*m)`, 'g');
const STEERING = /(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu;

/** Our own colours (SGR codes), as `terminalText` lets them through. */
export function styled(text: string, codes: readonly number[]): string {
  return `${OURS}[${codes.join(';')}m${text}${OURS}[0m`;
}

/** The text without our own colours. */
export function unstyled(text: string): string {
  return text.includes(OURS) ? text.replace(OWN_SEQUENCES, '') : text;
}

/** What may be written to a terminal: our own colours, line ends and tabs are all that is left of what steers it. */
export function terminalText(text: string): string {
  return text
    .split(OWN_SEQUENCES)
    .map((part, index) => (index % 2 === 0 ? visibleText(part) : `\x1b${part}`))
    .join('');
}

/** A name: every control character as `\xNN`, and what turns the direction of writing as `\uNNNN`. Our own colours stay. */
export function visibleName(text: string): string {
  return visibleLines(text).replace(/[\n\t]/g, escaped);
}

/** Several lines: line ends and tabs stay. */
export function visibleText(text: string): string {
  return text.replace(STEERING, escaped);
}

function visibleLines(text: string): string {
  if (!text.includes(OURS)) return visibleText(text);
  const parts = text.split(OWN_SEQUENCES);
  return parts.map((part, index) => (index % 2 === 0 ? visibleText(part) : OURS + part)).join('');
}

function escaped(character: string): string {
  const digits = character.charCodeAt(0).toString(16);
  return digits.length > 2 ? `\\u${digits.padStart(4, '0')}` : `\\x${digits.padStart(2, '0')}`;
}

/** JSON leaves some of these characters as they are; a string that has them escaped is the same string. */
export function visibleJson(json: string): string {
  return json.replace(
    /[\x7f-\x9f\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
