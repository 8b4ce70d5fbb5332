/** Names in file systems are bytes. Here they are strings of Latin-1, one character per byte, since they need not be UTF-8. */

/** The bytes of a name or path. */
export function bytesOf(raw: string): Buffer {
  return Buffer.from(raw, 'latin1');
}

/** What a user typed, or a file says in UTF-8, as bytes. */
export function rawOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A name or path as it can be shown. */
export function textOf(raw: string): string {
  return bytesOf(raw).toString('utf8');
}

/** Joins a folder below a tree's root, empty for the root itself, with a name in it. */
export function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** Without slashes at its end. By hand: a pattern tries again at each slash of a long row of them. */
export function withoutSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/') end -= 1;
  return path.slice(0, end);
}

/** Longest name and path that Linux takes, in bytes (limits.h). */
const NAME_MAX = 255;
const PATH_MAX = 4096;

/** False for what is no name of an entry: it would lead elsewhere, or no file system takes it. */
export function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && name.length <= NAME_MAX && !/[/\0]/.test(name);
}

/** Names and `..` of a path, in order; undefined when no file system takes it. */
export function partsOf(path: string): string[] | undefined {
  if (path.length > PATH_MAX) return undefined;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.every((part) => part === '..' || isName(part)) ? parts : undefined;
}
