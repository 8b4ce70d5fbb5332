import { attempt, ExternalError } from '../../platform/index.ts';
import { CONFINED_TREE, confined } from '../../trees/index.ts';

const GETFATTR = [
  ...['getfattr', '--dump', '--match=-', '--encoding=hex', '--no-dereference', '--absolute-names', '--'],
];

/**
 * Extended attributes of files, links not followed: per path, names with values as `0x…`. Files without any are absent. Paths are
 * bytes, as Latin-1 strings. By getfattr(1), since Node cannot read them; through xargs(1), since Node passes on UTF-8 only.
 */
export function readAttributes(paths: readonly string[]): Promise<Map<string, Map<string, string>>> {
  return dump(paths, ['xargs', '--null', ...GETFATTR]);
}

/** As `readAttributes`, of paths below a folder (`/a/b`, empty for itself) that somebody may change meanwhile: no link leads out. */
export async function readLiveAttributes(
  folder: string,
  paths: readonly string[],
): Promise<Map<string, Map<string, string>>> {
  const argv = confined(folder, ['xargs', '--null', ...GETFATTR], true);
  const found = await dump(
    paths.map((path) => CONFINED_TREE + path),
    argv,
  );
  return new Map([...found].map(([path, attributes]) => [path.slice(CONFINED_TREE.length), attributes]));
}

async function dump(
  paths: readonly string[],
  argv: readonly string[],
): Promise<Map<string, Map<string, string>>> {
  if (paths.length === 0) return new Map();
  const input = Buffer.from(paths.map((path) => `${path}\0`).join(''), 'latin1');
  const { status, stdout, stderr } = await attempt(argv, { input, encoding: 'latin1', env: { LC_ALL: 'C' } });
  // A file that was deleted in the meantime has none; the others' are printed all the same.
  if (status !== 0 && !/No such file|Not a directory|Too many levels/.test(stderr))
    throw new ExternalError(argv, status, stderr);
  return parseDump(stdout);
}

/** Reads what `getfattr --dump --encoding=hex` prints: paragraphs of `# file: PATH` and `NAME=0xVALUE`. Paths as Latin-1. */
export function parseDump(text: string): Map<string, Map<string, string>> {
  const files = new Map<string, Map<string, string>>();
  let current: Map<string, string> | undefined;
  for (const line of text.split('\n')) {
    const path = /^# file: (.*)$/.exec(line)?.[1];
    if (path !== undefined) {
      current = new Map();
      files.set(unescapeOctal(path), current);
    } else if (line !== '' && current) {
      const [name = '', value = ''] = splitOnce(line, '=');
      current.set(name, value);
    }
  }
  return files;
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** getfattr writes some characters as `\ooo`: line ends and the backslash. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
