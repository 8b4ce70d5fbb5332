import { createLog, isUserError, type Paths } from '../platform/index.ts';
import { type BootRecord, LAYOUT, readBootRecord } from './boot-files.ts';
import type { BootTarget, NodeDirectory } from './directory.ts';
import type { InitArchives } from './init-archives.ts';
import { bootScript, imageScript, probeScript, waitScript } from './ipxe.ts';
import { modelOf } from './model.ts';

const log = createLog('boot');

/** A machine that asks for its boot script. */
export interface BootRequest {
  ip: string;
  /** Hardware address that really sent the request; undefined when it cannot be told. */
  mac: string | undefined;
  /** The server's address that it asked. */
  server: string;
  /** What it says of itself: `mac`, and `cpu` once the probe script ran. */
  query: URLSearchParams;
}

interface Deps {
  directory: NodeDirectory;
  paths: Pick<Paths, 'bootFiles'>;
  archives: InitArchives;
}

/** The iPXE script for a machine: boot, tell more of yourself, or wait for a reason that its screen shows. */
export async function chooseScript(request: BootRequest, deps: Deps): Promise<string> {
  const { ip, mac, server, query } = request;
  const claimed = query.get('mac')?.toLowerCase();
  if (mac === undefined || (claimed !== undefined && claimed !== mac)) {
    log.warn('boot request of another machine', { ip, mac, claimed });
    return waitScript(server, `this request came from ${mac ?? 'nowhere'}, not from ${claimed ?? 'a node'}`);
  }
  let target = await begin(ip, mac, deps);
  if (!target) {
    const cpu = query.get('cpu');
    if (cpu === null) return probeScript(server);
    const model = modelOf(cpu);
    if (!model) return waitScript(server, `no image is made for the CPU ${cpu}`);
    await deps.directory.seen({ ip, mac, ...model });
    target = await begin(ip, mac, deps);
    if (!target) return waitScript(server, `there is no image yet that this ${model.model} can boot`);
  }
  const record = await readBootRecord(deps.paths, target.digest);
  const obstacle = await obstacleOf(target, record, deps);
  if (obstacle) return waitScript(server, obstacle);
  log.info('node boots', { node: target.name, digest: target.digest, generation: target.generation });
  return record?.walt ? imageScript(target) : bootScript(target);
}

/** An address that once was another machine's says nothing about this one. */
async function begin(ip: string, mac: string, { directory }: Deps): Promise<BootTarget | undefined> {
  const target = await directory.beginBoot(ip);
  return target?.mac === mac ? target : undefined;
}

/** Why the node cannot boot its image now; undefined when it can. */
async function obstacleOf(
  { name, model }: BootTarget,
  record: BootRecord | undefined,
  { archives }: Pick<Deps, 'archives'>,
): Promise<string | undefined> {
  if (record?.layout !== LAYOUT) return `the boot files of ${name} are missing on the server`;
  if (record.kernel === null) return `the image of ${name} has no kernel`;
  if (record.walt) {
    const script = record.walt.scripts[model];
    if (script === undefined) return `the image of ${name} has no boot script for ${model}`;
    if (script !== 'start.ipxe') return `the image of ${name} boots ${model} by U-Boot only`;
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
