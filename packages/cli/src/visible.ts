/** Text out of an image, made fit for a terminal: what would steer the terminal is shown instead. */

/** A name: every control character as `\xNN`, and what turns the direction of writing (Unicode TR 9) as `\uNNNN`. */
export function visibleName(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, escaped);
}

/** Several lines: line ends and tabs stay. */
export function visibleText(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Bidi_Control}]/gu, escaped);
}

function escaped(character: string): string {
  const digits = character.charCodeAt(0).toString(16);
  return digits.length > 2 ? `\\u${digits.padStart(4, '0')}` : `\\x${digits.padStart(2, '0')}`;
}
