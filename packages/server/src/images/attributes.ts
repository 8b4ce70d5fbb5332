import { attempt, ExternalError } from '../platform/index.ts';

/** Arguments of one getfattr run: far below the kernel's limit, whatever the length of the paths (execve(2)). */
const BATCH = 200;

/**
 * Extended attributes of files, links not followed: per path, names with values as `0x…`. Files without any are absent.
 * By getfattr(1), since Node cannot read them.
 */
export async function readAttributes(paths: readonly string[]): Promise<Map<string, Map<string, string>>> {
  const found = new Map<string, Map<string, string>>();
  for (let start = 0; start < paths.length; start += BATCH) {
    const argv = [
      'getfattr',
      '--dump',
      '--match=-',
      '--encoding=hex',
      '--no-dereference',
      '--absolute-names',
      '--',
    ];
    const batch = paths.slice(start, start + BATCH);
    const { status, stdout, stderr } = await attempt([...argv, ...batch], { env: { LC_ALL: 'C' } });
    // A file that was deleted in the meantime has none; the others' are printed all the same.
    if (status !== 0 && !/No such file/.test(stderr)) throw new ExternalError(argv, status, stderr);
    for (const [path, attributes] of parseDump(stdout)) found.set(path, attributes);
  }
  return found;
}

/** Reads what `getfattr --dump --encoding=hex` prints: paragraphs of `# file: PATH` and `NAME=0xVALUE`. */
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

/** getfattr writes control characters, the backslash and bytes beyond ASCII as `\ooo`. */
function unescapeOctal(text: string): string {
  const latin = Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return Buffer.from(latin, 'latin1').toString('utf8');
}
