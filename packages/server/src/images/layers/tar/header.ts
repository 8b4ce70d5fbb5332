export type TarType = 'file' | 'folder' | 'link' | 'hard-link' | SpecialType;
export type SpecialType = 'pipe' | 'char-device' | 'block-device';

/** Names are bytes, held as a string of Latin-1 (`Buffer.from(name, 'latin1')`): file names need not be UTF-8. */
export interface TarHeader {
  path: string;
  type: TarType;
  /** Permission bits, 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of content that follow; 0 for all but files. */
  size: number;
  /** Unix time in nanoseconds. */
  mtime: bigint;
  /** Of links; empty else. */
  target: string;
  /** Extended attributes by name, values as Latin-1 strings. */
  attributes: ReadonlyMap<string, string>;
  /** Of devices. */
  device?: { major: number; minor: number };
}

export const BLOCK = 512;
/** Prefix of pax records that carry extended attributes (GNU tar, libarchive, Go's archive/tar). */
export const XATTR = 'SCHILY.xattr.';
