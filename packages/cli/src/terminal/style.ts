/** Colours and the width of text on a terminal. */
import { styled, terminalText, unstyled } from './visible.ts';

const SGR = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;
export type Colour = keyof typeof SGR;
export type Paint = (text: string, ...colours: Colour[]) => string;

interface Output {
  isTTY?: boolean;
}

/** Colours only on a terminal that knows them, and never against https://no-color.org. */
export function wantsColours(stream: Output, env: Record<string, string | undefined> = process.env): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}

export function painter(enabled: boolean): Paint {
  if (!enabled) return (text) => text;
  return (text, ...colours) =>
    colours.length === 0
      ? text
      : styled(
          text,
          colours.map((colour) => SGR[colour]),
        );
}

const PLAIN = /^[\x20-\x7e]*$/;
/** East Asian wide and full-width forms (Unicode TR 11), and what terminals draw as emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

/** Made with the first text that is not plain. */
let segmenter: Intl.Segmenter | undefined;

/** Columns that `text` takes on a terminal once it is printed, colours not counted. */
export function displayWidth(text: string): number {
  const bare = unstyled(text);
  if (PLAIN.test(bare)) return bare.length;
  segmenter ??= new Intl.Segmenter();
  let width = 0;
  for (const { segment } of segmenter.segment(terminalText(bare))) width += WIDE.test(segment) ? 2 : 1;
  return width;
}
