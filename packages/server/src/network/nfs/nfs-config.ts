/** What nfs-ganesha reads (ganesha-config(8), ganesha-core-config(8), ganesha-export-config(8)). Pure. */
import { UserError } from '../../platform/index.ts';
import type { Subnet } from '../subnet.ts';
import { MOUNT_PORT, NFS_PORT } from './portmapper.ts';

/** A node's own read-write file system, mounted by it as SERVER:/persist/ID. */
export interface PersistExport {
  id: number;
  /** The ext4 image that it lies in; made when it is missing. */
  file: string;
  ip: string;
}

/** An image's file tree, read-only, for one node, under the paths where images made for WalT look for it. */
export interface TreeExport {
  tree: Tree;
  paths: readonly string[];
  ip: string;
}

/** What is overlaid for an image's file tree. */
export interface Tree {
  /** Another name, another content. */
  name: string;
  /** File systems with the layers in `diff`, top first (see `TREE_FOLDER`): the first is ext4, the others are EROFS. At least two. */
  lower: readonly string[];
}

/** One export as the NFS server has it. */
export interface Export {
  /** Path by which nodes mount it. */
  pseudo: string;
  folder: string;
  ip: string;
  kind: 'persist' | 'tree';
}

/**
 * An export with the number that file handles carry. A number stands for one folder as long as there is an export of
 * it: nodes go on using the handles that they hold, also over a restart of the NFS server.
 */
export interface NumberedExport extends Export {
  exportId: number;
}

/** Number of the volumes' export; 0 is the pseudo root, and the field has 16 bits. */
const VOLUMES_EXPORT = 1;
const FIRST_EXPORT = 2;
const LAST_EXPORT = 65_535;

/** The configuration but for the exports, which are read again while nodes work. */
export function renderNfsConfig(options: {
  server: string;
  recoveryFolder: string;
  exportsFile: string;
}): string {
  return renderConfig({ ...options, protocols: '3, 4', exports: `%include ${quote(options.exportsFile)}` });
}

/** All of the configuration of one that serves copies of volumes, to `clients` (a subnet), and nothing else. */
export function volumesServerConfig(options: {
  /** Its own, on walt-net. */
  address: string;
  clients: string;
  folder: string;
  recoveryFolder: string;
}): string {
  const { address, recoveryFolder, folder, clients } = options;
  const exports = renderVolumes(folder, clients);
  return renderConfig({ server: address, recoveryFolder, protocols: '4', exports });
}

function renderConfig(options: {
  server: string;
  recoveryFolder: string;
  /** NFSv3 needs a portmapper. */
  protocols: '3, 4' | '4';
  exports: string;
}): string {
  return `NFS_CORE_PARAM {
  Protocols = ${options.protocols};
  Bind_addr = ${options.server};
  NFS_Port = ${NFS_PORT};
  MNT_Port = ${MOUNT_PORT};
  # NFSv3 clients name exports as the others do.
  Mount_Path_Pseudo = true;
  Enable_NLM = false;
  Enable_RQUOTA = false;
}
NFSv4 {
  # Without a grace period, nodes go on at once after a restart. They lose no lock to each other: no folder has two of them.
  Graceless = true;
  RecoveryBackend = fs;
  RecoveryRoot = ${quote(options.recoveryFolder)};
  Minor_Versions = 0, 1, 2;
  Only_Numeric_Owners = true;
}
NFS_KRB5 {
  Active_krb5 = false;
}
EXPORT_DEFAULTS {
  Access_Type = NONE;
  Protocols = 4;
  Transports = TCP;
  SecType = sys;
  # The server itself adds volumes: what the NFS server remembers of a folder must be checked at each use.
  Attr_Expiration_Time = 0;
}
${options.exports}
`;
}

/** The exports file, which `parseExports` reads again. */
export function renderExports(
  volumesFolder: string,
  subnet: Subnet,
  exports: readonly NumberedExport[],
): string {
  return [
    renderVolumes(volumesFolder, subnet.cidr),
    ...exports.map((each) => renderExport(each, each.kind === 'tree' ? 'RO' : 'RW')),
  ].join('');
}

/** `clients`: a subnet. */
function renderVolumes(folder: string, clients: string): string {
  return renderExport(
    { exportId: VOLUMES_EXPORT, folder, pseudo: '/volumes', ip: clients, kind: 'persist' },
    'RO',
  );
}

function renderExport({ exportId, folder, pseudo, ip, kind }: NumberedExport, access: 'RO' | 'RW'): string {
  const protocols = kind === 'tree' ? '3, 4; Transports = TCP, UDP;' : '4;';
  const client = `CLIENT { Clients = ${ip}; Access_Type = ${access}; Squash = No_Root_Squash; Protocols = ${protocols} }`;
  return `EXPORT { Export_Id = ${exportId}; Path = ${quote(folder)}; Pseudo = ${quote(pseudo)}; FSAL { Name = VFS; } ${client} }\n`;
}

const EXPORT_LINE =
  /^EXPORT { Export_Id = (\d+); Path = "([^"]*)"; Pseudo = "?([^";]+)"?;.*Clients = ([\d.]+); Access_Type = (RO|RW);/;

/** The exports of single nodes in a file that `renderExports` wrote. */
export function parseExports(text: string): NumberedExport[] {
  return text.split('\n').flatMap((line) => {
    const [, exportId, folder, pseudo, ip, access] = EXPORT_LINE.exec(line) ?? [];
    if (exportId === undefined || folder === undefined || pseudo === undefined || ip === undefined) return [];
    return [{ exportId: Number(exportId), folder, pseudo, ip, kind: access === 'RO' ? 'tree' : 'persist' }];
  });
}

/**
 * Gives each export its number: the one that it had, if its folder is the same, else a free one that was not in use just
 * before either, since ganesha refuses another folder under a number that it knows.
 */
export function numberExports(
  before: readonly NumberedExport[],
  exports: readonly Export[],
): NumberedExport[] {
  const used = new Set(before.map(({ exportId }) => exportId));
  const kept = new Map(before.map((each) => [each.pseudo, each]));
  let next = FIRST_EXPORT;
  return exports.map((each) => {
    const old = kept.get(each.pseudo);
    if (old?.folder === each.folder) return { ...each, exportId: old.exportId };
    while (used.has(next)) next += 1;
    if (next > LAST_EXPORT) {
      throw new UserError(
        'UNAVAILABLE',
        `The NFS server has no number left for ${each.pseudo}: ${LAST_EXPORT} are in use.`,
        'Remove nodes that are no longer used.',
      );
    }
    used.add(next);
    return { ...each, exportId: next };
  });
}

/** True when an export moved to another folder: its name is free for the new one only once the old one is gone. */
export function movesFolder(before: readonly NumberedExport[], after: readonly NumberedExport[]): boolean {
  const folders = new Map(before.map(({ pseudo, folder }) => [pseudo, folder]));
  return after.some(({ pseudo, folder }) => folders.has(pseudo) && folders.get(pseudo) !== folder);
}

/** Ganesha's strings know no escape for these. */
function quote(path: string): string {
  if (/["\\\n]/.test(path)) {
    throw new UserError(
      'INVALID',
      `The NFS server cannot export ${JSON.stringify(path)}.`,
      'Choose a state folder without quotes, backslashes and line breaks in its path.',
    );
  }
  return `"${path}"`;
}
