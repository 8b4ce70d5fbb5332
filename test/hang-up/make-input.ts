import fc from 'fast-check';
import { z } from 'zod';
import type { Random } from './random.ts';

/** Tries to hit upon what a schema accepts; what it tells not (refinements) is found by trying. */
const TRIES = 60;

/**
 * Input that a schema of the contract accepts, where it can be found; else one that is nearly so. `words` are texts that mean
 * something on this platform: names of images, tickets, paths. Where a text may be one of them it mostly is, so that calls get far.
 * What has a default is left out, what is optional is given.
 */
export function makeInput(schema: z.core.$ZodType, words: readonly string[], random: Random): unknown {
  let last: unknown;
  for (let tries = 0; tries < TRIES; tries += 1) {
    last = draw(schema, words, random);
    if (z.safeParse(schema, last).success) return last;
  }
  return last;
}

function draw(schema: z.core.$ZodType, words: readonly string[], random: Random): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const again = (inner: z.core.$ZodType) => makeInput(inner, words, random);
  switch (def.type) {
    case 'string':
      return drawText(schema, words, random);
    case 'number': {
      const { minimum = 0, maximum = 5 } = (schema as z.core.$ZodNumber)._zod.bag;
      return Math.min(Number(maximum), Math.max(Number(minimum), 0) + random.below(3));
    }
    case 'boolean':
      return random.chance(50);
    case 'enum': {
      const choices = Object.values(def.entries);
      const known = choices.filter((choice) => words.includes(String(choice)));
      return random.pick(known.length > 0 ? known : choices);
    }
    case 'literal':
      return random.pick(def.values);
    case 'array':
      return Array.from({ length: 1 + random.below(2) }, () => again(def.element));
    case 'tuple':
      return def.items.map(again);
    case 'record':
      return { [String(again(def.keyType))]: again(def.valueType) };
    case 'object': {
      const given = Object.entries(def.shape).filter(([, field]) => !hasDefault(field));
      return Object.fromEntries(given.map(([key, field]) => [key, again(field)]));
    }
    case 'union':
      return again(random.pick(def.options));
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'readonly':
      return again(def.innerType);
    case 'pipe':
      return again(def.in);
    case 'lazy':
      return again(def.getter());
    default:
      return random.pick(words);
  }
}

function hasDefault(schema: z.core.$ZodType): boolean {
  return ['default', 'prefault'].includes(schema._zod.def.type);
}

function drawText(schema: z.core.$ZodType, words: readonly string[], random: Random): string {
  const fitting = words.filter((word) => z.safeParse(schema, word).success);
  if (fitting.length > 0 && random.chance(85)) return random.pick(fitting);
  const [pattern] = (schema as z.core.$ZodString)._zod.bag.patterns ?? [];
  const text = pattern ? fc.stringMatching(pattern) : fc.string({ maxLength: 40 });
  const [drawn] = fc.sample(text, { seed: random.below(2 ** 31), numRuns: 1 });
  return drawn ?? '';
}
