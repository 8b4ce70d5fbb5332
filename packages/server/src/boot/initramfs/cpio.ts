/** One entry of an archive; `path` without a leading slash. Everything belongs to root. */
export type CpioEntry =
  | { path: string; type: 'folder'; mode: number }
  | { path: string; type: 'file'; mode: number; content: Uint8Array }
  | { path: string; type: 'link'; target: string }
  | { path: string; type: 'device'; mode: number; major: number; minor: number };

/** File type bits of `st_mode` (inode(7)). */
const TYPE = { folder: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 } as const;

/**
 * A cpio archive in the `newc` format that the kernel unpacks as its first root
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Equal entries give equal bytes.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  entries.forEach((entry, index) => {
    // Inode numbers start at 1 and differ, so that nothing looks like a hard link.
    parts.push(...record(entry, index + 1));
  });
  parts.push(...record({ path: 'TRAILER!!!', type: 'file', mode: 0, content: new Uint8Array() }, 0));
  return Buffer.concat(parts);
}

function record(entry: CpioEntry, inode: number): Uint8Array[] {
  const content =
    entry.type === 'file'
      ? entry.content
      : entry.type === 'link'
        ? Buffer.from(entry.target)
        : new Uint8Array();
  const device = entry.type === 'device' ? [entry.major, entry.minor] : [0, 0];
  const name = Buffer.from(`${entry.path}\0`);
  const fields = [
    inode,
    inode === 0 ? 0 : TYPE[entry.type] | (entry.type === 'link' ? 0o777 : entry.mode),
    0, // uid
    0, // gid
    1, // links
    0, // time of change: none, so that equal content gives equal bytes
    content.length,
    0, // device of the file itself, major and minor
    0,
    ...device,
    name.length,
    0, // no checksum in this format
  ];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  const head = Buffer.concat([Buffer.from(header), name]);
  return [head, padding(head.length), content, padding(content.length)];
}

/** Header with name, and content, each end on a multiple of four bytes. */
function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
