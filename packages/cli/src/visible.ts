/** Text out of an image, made fit for a terminal: what would steer the terminal is shown instead. */

/** A name: every control character as `\xNN`. */
export function visibleName(text: string): string {
  return text.replace(/\p{Cc}/gu, escaped);
}

/** Several lines: line ends and tabs stay. */
export function visibleText(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, escaped);
}

function escaped(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
