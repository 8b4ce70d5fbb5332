import { createHash } from 'node:crypto';
import { digestHex } from '@walt/contract';
import type { BootRecord } from '../boot-files.ts';
import { checkTarget } from '../checked.ts';
import type { BootTarget } from '../directory.ts';
import { LENT_INIT, LENT_START } from '../lent-paths.ts';

/** File name of a layer's volume. */
function volumeOf(layer: string): string {
  return `${layer.replace(':', '-')}.erofs`;
}

/**
 * By what a node knows what it finds on its disk: whose platform's the disk is, in whose hands the node was when that was written
 * there, and under which name the image's changes are kept. Who had the node before cannot make up the second: the token is a new one.
 */
function diskMarks({
  identity,
  token,
  digest,
}: BootTarget): [platform: string, holder: string, image: string] {
  const mark = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);
  return [mark(`platform ${identity.userCa.trim()}`), mark(`holder ${token}`), digestHex(digest)];
}

/** File names of a node's volumes, top first, as overlay wants them. */
export function volumesOf(
  { platformVolume, layers }: Pick<BootTarget, 'platformVolume' | 'layers'>,
  { loan }: Pick<BootRecord, 'loan'> = {},
): string[] {
  return [platformVolume, ...(loan?.volumes ?? []), ...layers.toReversed().map(volumeOf)];
}

/**
 * What a node's init reads first: `key=value` lines. `layer` comes once per volume; `time` is Unix time in seconds, for machines
 * whose clock is wrong or missing. `start` and `init` name programs of the new root, for images that lack them. `learn`: the
 * server wants to know what is read. `hybrid`: what its disk is known by; `disk`: it has one, which it is to use, or to leave alone.
 */
export function bootstrapDocument(
  target: BootTarget,
  now: number,
  record: Pick<BootRecord, 'lends' | 'loan'> = { lends: [] },
  learn = false,
): string {
  const { name, server, volumeServer, persist, generation, token, nat } = checkTarget(target);
  const { lends } = record;
  const lines = [
    `name=${name}`,
    `time=${Math.floor(now)}`,
    `generation=${generation}`,
    `token=${token}`,
    `volumes=${volumeServer}:/volumes`,
    ...volumesOf(target, record).map((volume) => `layer=${volume}`),
    ...(persist === null ? [] : [`persist=${server}:/persist/${persist}`]),
    ...(nat ? [`gateway=${server}`] : []),
    `hybrid=${diskMarks(target).join(' ')}`,
    ...(target.disk === 'none' ? [] : [`disk=${target.disk}`]),
    ...(learn ? ['learn=1'] : []),
    ...(lends.includes('ssh') ? [`start=${LENT_START}`] : []),
    ...(lends.includes('init') ? [`init=${LENT_INIT}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}
