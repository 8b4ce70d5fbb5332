import { checkTarget } from './checked.ts';
import type { BootTarget } from './directory.ts';

/** File name of a layer's volume. */
function volumeOf(layer: string): string {
  return `${layer.replace(':', '-')}.erofs`;
}

/**
 * What a node's init asks for first: `key=value` lines. `layer` comes once per volume, top first, as overlay wants
 * them; `time` is Unix time in seconds, for machines whose clock is wrong or missing.
 */
export function bootstrapDocument(target: BootTarget, now: number): string {
  const { name, server, persist, generation, token, layers, platformVolume } = checkTarget(target);
  const lines = [
    `name=${name}`,
    `time=${Math.floor(now)}`,
    `generation=${generation}`,
    `token=${token}`,
    `volumes=${server}:/volumes`,
    ...[platformVolume, ...layers.toReversed().map(volumeOf)].map((volume) => `layer=${volume}`),
    `persist=${server}:/persist/${persist}`,
  ];
  return `${lines.join('\n')}\n`;
}
