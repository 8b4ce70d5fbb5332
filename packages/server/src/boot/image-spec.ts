/** `/etc/walt/image.spec` of images made for WalT, and the templates that it names. */
import { z } from 'zod';
import { UserError } from '../platform/index.ts';
import type { ImageRoot } from './image-root.ts';

const SPEC = '/etc/walt/image.spec';

/** Longest template, in bytes. */
export const TEMPLATE_LIMIT = 1024 * 1024;

const imageSpec = z.object({
  templates: z.array(z.string().startsWith('/').max(1000)).max(1000).default([]),
});
export type ImageSpec = z.infer<typeof imageSpec>;

/** That of an image; an empty one when there is none. Throws UserError INVALID when it is ill-formed. */
export async function readImageSpec(root: ImageRoot): Promise<ImageSpec> {
  return parseImageSpec((await root.read(SPEC)) ?? '{}');
}

/** JSON with comments from `#` to the end of the line, and a comma after the last of a list if one likes. */
export function parseImageSpec(text: string): ImageSpec {
  const bare = text.replace(/"(?:[^"\\\n]|\\.)*"|#[^\n]*/g, (part) => (part.startsWith('#') ? '' : part));
  const plain = bare.replace(/"(?:[^"\\\n]|\\.)*"|,(?=\s*[\]}])/g, (part) => (part === ',' ? '' : part));
  try {
    return imageSpec.parse(JSON.parse(plain));
  } catch (error) {
    const reason =
      error instanceof z.ZodError
        ? error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
        : (error as Error).message;
    throw new UserError('INVALID', `${SPEC} of the image cannot be read: ${reason}`, 'Mend that file.');
  }
}

/** Writes values for `%(name)s`, and `%` for `%%`, as Python does; a name that is not known stays as it is. */
export function renderTemplate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/%%|%\((\w+)\)s/g, (whole, name?: string) =>
    name === undefined ? '%' : Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
  );
}
