import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { findModel, fittingsOf } from '../../models/index.ts';
import { createLog, isUserError, type Paths, rarely } from '../../platform/index.ts';
import { type BootRecord, imageBootFolder, kernelName, LAYOUT, readBootRecord } from '../boot-files.ts';
import type { BootTarget, NodeDirectory } from '../directory.ts';
import type { InitArchives } from '../initramfs/index.ts';
import { DeviceTrees } from '../kernel/index.ts';
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
  /**
   * The kind of script that its loader runs; these run none of an image: `firmware`, which loads all by itself, and `kexec`, where the
   * kernel that runs loads the next one.
   */
  loader: BootScript | 'firmware' | 'kexec';
}

/** What its loader is to do; iPXE and U-Boot have a script for each. */
export type BootChoice =
  /** Tell more of itself. */
  | { kind: 'probe' }
  /** Ask again later. */
  | { kind: 'wait'; reason: string }
  /** Load the image's kernel and our initramfs; and of the image's device trees the one of that name, where the board has none. */
  | { kind: 'kernel'; target: BootTarget; deviceTree?: string | undefined }
  /** Run the boot script that the image brings. */
  | { kind: 'script'; target: BootTarget };

interface Deps {
  directory: NodeDirectory;
  paths: Pick<Paths, 'bootFiles'>;
  archives: InitArchives;
}

/** Decides how a machine boots, and notes it. A machine that is new becomes a node as soon as its hardware is known. */
export async function chooseBoot(request: BootRequest, deps: Deps): Promise<BootChoice> {
  const choice = await decide(request, deps);
  const { ip, mac } = request;
  if (choice.kind === 'wait') await noteWaiting({ ip, mac }, choice.reason, deps.directory);
  else if (mac !== undefined && choice.kind !== 'probe') await deps.directory.waits(mac, undefined);
  return choice;
}

/** Tells it to who looks into the journal, or at the machine by `walt node show` or `walt device show`. */
export async function noteWaiting(
  { ip, mac }: Pick<BootRequest, 'ip' | 'mac'>,
  reason: string,
  directory: Pick<NodeDirectory, 'waits'>,
): Promise<void> {
  warn('a machine must wait', { ip, mac, reason }, ip);
  if (mac !== undefined) await directory.waits(mac, reason);
}

async function decide(request: BootRequest, deps: Deps): Promise<BootChoice> {
  const { ip, mac, claimed, hardware } = request;
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
  if (hardware?.model !== undefined) await deps.directory.recognize(target, hardware.model);
  const { obstacle, record, deviceTree } = await judgeBoot(target, request, deps);
  if (obstacle !== undefined) return wait(obstacle);
  const { name, digest, generation } = target;
  deps.directory.reached({ ip, digest }, 'script');
  info('node boots', { node: name, digest, generation }, name);
  return record.walt ? { kind: 'script', target } : { kind: 'kernel', target, deviceTree };
}

function wait(reason: string): BootChoice {
  return { kind: 'wait', reason };
}

/** An address that once was another machine's says nothing about this one. */
async function begin(ip: string, mac: string, { directory }: Deps): Promise<BootTarget | undefined> {
  const target = await directory.beginBoot(ip);
  return target?.mac === mac ? target : undefined;
}

const SCRIPT_LOADERS: Record<BootScript, string> = { 'start.ipxe': 'iPXE', 'start.uboot': 'U-Boot' };

/** `obstacle`: why a node cannot boot now. */
type Judgement =
  | { obstacle: string; record?: undefined; deviceTree?: undefined }
  | { obstacle?: undefined; record: BootRecord; deviceTree?: string | undefined };

/** Whether a node can boot an image, and by which of its device trees. Notes nothing. */
export async function judgeBoot(
  node: Pick<BootTarget, 'name' | 'model' | 'digest'>,
  { loader, hardware }: Pick<BootRequest, 'loader' | 'hardware'>,
  deps: Pick<Deps, 'paths' | 'archives'>,
): Promise<Judgement> {
  const { name, digest } = node;
  const record = await readBootRecord(deps.paths, digest);
  if (record?.layout !== LAYOUT) return { obstacle: `the boot files of ${name} are missing on the server` };
  if (record.kernel === null) return { obstacle: `the image of ${name} has no kernel` };
  const judgement = record.walt
    ? judgeScript(node, record, record.walt.scripts, loader)
    : await judgeKernel(node, record, { loader, hardware }, deps);
  if (judgement.obstacle !== undefined) return judgement;
  try {
    await deps.archives.get(record.architecture);
  } catch (error) {
    if (!isUserError(error)) throw error;
    log.error(error.message, { node: name, hint: error.hint });
    return { obstacle: error.message };
  }
  return judgement;
}

/** An image that brings its own boot scripts. */
function judgeScript(
  { name, model }: Pick<BootTarget, 'name' | 'model'>,
  record: BootRecord,
  scripts: Readonly<Record<string, BootScript>>,
  loader: BootRequest['loader'],
): Judgement {
  if (!record.models.includes(model)) return { obstacle: otherModels(name, model, record) };
  const script = scripts[model];
  if (script === undefined || script === loader) return { record };
  return { obstacle: `the image of ${name} boots ${model} by ${SCRIPT_LOADERS[script]} only` };
}

async function judgeKernel(
  node: Pick<BootTarget, 'name' | 'model' | 'digest'>,
  record: BootRecord,
  { loader, hardware }: Pick<BootRequest, 'loader' | 'hardware'>,
  { paths }: Pick<Deps, 'paths'>,
): Promise<Judgement> {
  const { name, model } = node;
  const { kernel, realKernel = kernel, architecture } = record;
  const of = `the kernel ${realKernel} of the image of ${name}`;
  if (record.bootPlan !== 'volumes')
    return { obstacle: `${of} cannot mount volumes (EROFS, overlay, NFSv4)` };
  const known = findModel(model);
  const cpu = hardware?.architecture;
  // Of a board that has no file here, its loader tells CPU and device tree, and that is enough.
  const fits = known ? known.images.includes(architecture) : cpu === architecture;
  const wanted = known ? known.deviceTrees : hardware?.deviceTree && [hardware.deviceTree];
  if (!fits || !wanted) {
    return record.models.includes(model) ? { record } : { obstacle: otherModels(name, model, record) };
  }
  const folder = imageBootFolder(paths, node.digest);
  const deviceTree = (await DeviceTrees.open(folder)).find(wanted);
  if (deviceTree === undefined) {
    const files = wanted.map((one) => one.split('/').at(-1)).join(' or ');
    return { obstacle: `${of} has no device tree for ${model} (${files})` };
  }
  if (known && !record.models.includes(model)) return { obstacle: otherModels(name, model, record) };
  if (loader === 'start.uboot' && cpu !== undefined && cpu !== architecture) {
    const started = `the U-Boot of this ${model} starts kernels for ${cpu}`;
    return { obstacle: `the image of ${name} is for ${architecture}, and ${started}` };
  }
  const most = loader === 'firmware' ? known?.firmware?.maxFile : undefined;
  // What its firmware loads, nothing plays.
  const kernelFile = join(folder, kernelName(fittingsOf({ model, isVirtual: false }).adapters));
  if (most !== undefined && (await stat(kernelFile)).size > most) {
    return { obstacle: `${of} is larger than the ${most >> 20} MiB that the firmware of ${model} can load` };
  }
  return { record, deviceTree };
}

function otherModels(name: string, model: string, { models, architecture }: BootRecord): string {
  return `the image of ${name} is for ${models.join(', ') || architecture}, not for ${model}`;
}
