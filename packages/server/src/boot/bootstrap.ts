import type { BootRecord } from './boot-files.ts';
import { checkTarget } from './checked.ts';
import type { BootTarget } from './directory.ts';
import { LENT_INIT, LENT_START } from './lent-paths.ts';

/** File name of a layer's volume. */
function volumeOf(layer: string): string {
  return `${layer.replace(':', '-')}.erofs`;
}

/**
 * What a node's init asks for first: `key=value` lines. `layer` comes once per volume, top first, as overlay wants
 * them; `time` is Unix time in seconds, for machines whose clock is wrong or missing. `start` and `init` name programs of the
 * new root, for images that lack them.
 */
export function bootstrapDocument(
  target: BootTarget,
  now: number,
  { lends, loan }: Pick<BootRecord, 'lends' | 'loan'> = { lends: [] },
): string {
  const { name, server, persist, generation, token, layers, platformVolume } = checkTarget(target);
  const volumes = [platformVolume, ...(loan?.volumes ?? []), ...layers.toReversed().map(volumeOf)];
  const lines = [
    `name=${name}`,
    `time=${Math.floor(now)}`,
    `generation=${generation}`,
    `token=${token}`,
    `volumes=${server}:/volumes`,
    ...volumes.map((volume) => `layer=${volume}`),
    `persist=${server}:/persist/${persist}`,
    ...(lends.includes('ssh') ? [`start=${LENT_START}`] : []),
    ...(lends.includes('init') ? [`init=${LENT_INIT}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}
