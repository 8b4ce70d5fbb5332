/** `/etc/walt/image.spec` of images made for WalT, and the templates that it names. */
import * as z from 'zod';
import { UserError } from '../../platform/index.ts';
import type { Tree } from '../../trees/index.ts';
import { TEXT_LIMIT } from '../bounds.ts';

const SPEC = '/etc/walt/image.spec';

const imageSpec = z.object({
  templates: z.array(z.string().startsWith('/').max(1000)).max(1000).default([]),
  /** Commands to run where the server has a feature of that name; this one offers none. */
  features: z.record(z.string(), z.string()).default({}),
});
export type ImageSpec = z.infer<typeof imageSpec>;

/** That of an image; an empty one when there is none. Throws UserError INVALID when it is ill-formed. */
export async function readImageSpec(tree: Tree): Promise<ImageSpec> {
  return parseImageSpec((await tree.readText(SPEC, TEXT_LIMIT)) ?? '{}');
}

/** JSON with comments from `#` to the end of the line, and a comma after the last of a list if one likes. */
export function parseImageSpec(text: string): ImageSpec {
  try {
    return imageSpec.parse(JSON.parse(plainJson(text)));
  } catch (error) {
    const reason =
      error instanceof z.ZodError
        ? error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
        : (error as Error).message;
    throw new UserError('INVALID', `${SPEC} of the image cannot be read: ${reason}`, 'Mend that file.');
  }
}

/** Without comments and commas that end a list. One pass, whatever the text: a pattern for strings would try again at each quote. */
function plainJson(text: string): string {
  const parts: string[] = [];
  let comma = false;
  for (let at = 0; at < text.length; ) {
    const start = at;
    const letter = text[at];
    if (letter === '#') at = endOf(text, '\n', at);
    else if (letter === '"') at = endOfString(text, at);
    else at += 1;
    if (letter === '#' || letter === undefined || letter.trim() === '') continue;
    if (comma && letter !== ']' && letter !== '}') parts.push(',');
    comma = letter === ',';
    if (!comma) parts.push(text.slice(start, at));
  }
  return parts.join('') + (comma ? ',' : '');
}

function endOf(text: string, letter: string, from: number): number {
  const end = text.indexOf(letter, from);
  return end < 0 ? text.length : end;
}

/** Behind the closing quote. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Writes values for `%(name)s`, and `%` for `%%`, as Python does; a name that is not known stays as it is. */
export function renderTemplate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/%%|%\((\w+)\)s/g, (whole, name?: string) =>
    name === undefined ? '%' : Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
  );
}
