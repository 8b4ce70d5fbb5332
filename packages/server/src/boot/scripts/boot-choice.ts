import { createLog, isUserError, type Paths, rarely } from '../../platform/index.ts';
import { type BootRecord, LAYOUT, readBootRecord } from '../boot-files.ts';
import type { BootTarget, NodeDirectory } from '../directory.ts';
import type { InitArchives } from '../initramfs/index.ts';
import type { BootScript } from '../walt-images/index.ts';
import type { Hardware } from './hardware.ts';

const log = createLog('boot');
const warn = rarely(log.warn);
const info = rarely(log.info);

/** A machine whose loader asks what to do. */
export interface BootRequest {
  ip: string;
  /** Hardware address that really sent the request; undefined when it cannot be told. */
  mac: string | undefined;
  /** Hardware address that it says it has. */
  claimed?: string | undefined;
  /** What it says of its hardware, once it was asked. */
  hardware?: Hardware | undefined;
  /** The kind of script that its loader runs. */
  loader: BootScript;
}

/** What its loader is to do; iPXE and U-Boot have a script for each. */
export type BootChoice =
  /** Tell more of itself. */
  | { kind: 'probe' }
  /** Ask again later. */
  | { kind: 'wait'; reason: string }
  /** Load the image's kernel and our initramfs. */
  | { kind: 'kernel'; target: BootTarget }
  /** Run the boot script that the image brings. */
  | { kind: 'script'; target: BootTarget };

interface Deps {
  directory: NodeDirectory;
  paths: Pick<Paths, 'bootFiles'>;
  archives: InitArchives;
}

/** Decides how a machine boots, and notes it. A machine that is new becomes a node as soon as its hardware is known. */
export async function chooseBoot(request: BootRequest, deps: Deps): Promise<BootChoice> {
  const { ip, mac, claimed, hardware, loader } = request;
  if (mac === undefined || (claimed !== undefined && claimed !== mac)) {
    warn('boot request of another machine', { ip, mac, claimed }, ip);
    return wait(`this request came from ${mac ?? 'nowhere'}, not from ${claimed ?? 'a node'}`);
  }
  let target = await begin(ip, mac, deps);
  if (!target) {
    if (!hardware) return { kind: 'probe' };
    const { model, architecture, words } = hardware;
    if (model === undefined || architecture === undefined) return wait(`no image is made for ${words}`);
    const refusal = await deps.directory.seen({ ip, mac, model, architecture });
    if (refusal !== undefined) return wait(refusal);
    target = await begin(ip, mac, deps);
    if (!target) return wait(`there is no image yet that this ${model} can boot`);
  }
  const record = await readBootRecord(deps.paths, target.digest);
  const obstacle = await obstacleOf(target, record, loader, deps);
  if (obstacle) return wait(obstacle);
  const { name, digest, generation } = target;
  info('node boots', { node: name, digest, generation }, name);
  return { kind: record?.walt ? 'script' : 'kernel', target };
}

function wait(reason: string): BootChoice {
  return { kind: 'wait', reason };
}

/** An address that once was another machine's says nothing about this one. */
async function begin(ip: string, mac: string, { directory }: Deps): Promise<BootTarget | undefined> {
  const target = await directory.beginBoot(ip);
  return target?.mac === mac ? target : undefined;
}

const LOADER_NAMES: Record<BootScript, string> = { 'start.ipxe': 'iPXE', 'start.uboot': 'U-Boot' };

/** Why the node cannot boot its image now; undefined when it can. */
async function obstacleOf(
  { name, model }: BootTarget,
  record: BootRecord | undefined,
  loader: BootScript,
  { archives }: Pick<Deps, 'archives'>,
): Promise<string | undefined> {
  if (record?.layout !== LAYOUT) return `the boot files of ${name} are missing on the server`;
  if (record.kernel === null) return `the image of ${name} has no kernel`;
  if (!record.models.includes(model)) {
    return `the image of ${name} is for ${record.models.join(', ')}, not for ${model}`;
  }
  if (record.walt) {
    const script = record.walt.scripts[model];
    if (script && script !== loader)
      return `the image of ${name} boots ${model} by ${LOADER_NAMES[script]} only`;
  } else if (record.bootPlan !== 'volumes') {
    return `the kernel ${record.kernel} of the image of ${name} cannot mount volumes (EROFS, overlay, NFSv4)`;
  }
  try {
    await archives.get(record.architecture);
  } catch (error) {
    if (!isUserError(error)) throw error;
    log.error(error.message, { node: name, hint: error.hint });
    return error.message;
  }
  return undefined;
}
