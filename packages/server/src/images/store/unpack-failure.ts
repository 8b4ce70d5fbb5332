import { isExternalError, UserError } from '../../platform/index.ts';

/** Characters of a path that are told. */
const SHOWN = 300;

/** What the system calls of containers/storage are about (storage/pkg/archive). */
const CALLS: Readonly<Record<string, string>> = {
  lsetxattr: 'its attributes cannot be set',
  symlink: 'the link cannot be made',
  link: 'the hard link cannot be made',
  mkdir: 'the folder cannot be made',
  mknod: 'it cannot be made',
  open: 'it cannot be made',
  lchown: 'its owner cannot be set',
};

/**
 * What it means that a layer of ours could not be unpacked, as UserError INVALID that names the file; other errors are answered as they
 * are. Full disks are others', but where an attribute finds no room in a file system that has it beside the file.
 */
export function explainUnpacking(error: unknown): unknown {
  if (!isExternalError(error)) return error;
  const { call, path, reason } = parseFailure(error.output);
  const what = CALLS[call];
  if (what === undefined) return error;
  const full = reason === 'no space left on device';
  if (full && call !== 'lsetxattr') return error;
  const shown = path.length > SHOWN ? `${path.slice(0, SHOWN)}…` : path;
  return new UserError(
    'INVALID',
    `${JSON.stringify(shown)} has no place in an image: ${what} (${full ? 'too large' : reason}).`,
    'Leave it out, or change that, then repeat.',
  );
}

const INTRODUCTION = 'processing tar file(';

/** From `… processing tar file(CALL [TARGET ]PATH: REASON): exit status 1`. */
function parseFailure(output: string): { call: string; path: string; reason: string } {
  const start = output.lastIndexOf(INTRODUCTION);
  const end = output.lastIndexOf(')');
  const text = start < 0 ? '' : output.slice(start + INTRODUCTION.length, end);
  const colon = text.lastIndexOf(': ');
  const blank = text.indexOf(' ');
  const call = text.slice(0, Math.max(0, blank));
  const words = text.slice(blank + 1, Math.max(0, colon));
  // Links are told with their target in front.
  const path = call.endsWith('link') ? words.slice(words.lastIndexOf(' /') + 1) : words;
  return { call, path, reason: text.slice(colon + 2) };
}
