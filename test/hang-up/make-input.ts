import fc from 'fast-check';
import * as z from 'zod';
import type { Random } from '../random.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Tries to hit upon what a schema accepts; what it tells not (refinements) is found by trying. */
const TRIES = 60;
const NEWEST = 8;

/**
 * Input that a schema of the contract accepts, where it can be found; else one that is nearly so. Where a
 * text may be one of the vocabulary it mostly is. What is optional is given, what has a default mostly left out.
 */
export function makeInput(schema: z.core.$ZodType, vocabulary: Vocabulary, random: Random): unknown {
  let last: unknown;
  for (let tries = 0; tries < TRIES; tries += 1) {
    last = draw(schema, vocabulary, random);
    if (z.safeParse(schema, last).success) return last;
  }
  return last;
}

function draw(schema: z.core.$ZodType, vocabulary: Vocabulary, random: Random): unknown {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  const names = vocabulary.namesOf(schema);
  if (names && random.chance(90)) return random.pick(names);
  const again = (inner: z.core.$ZodType) => makeInput(inner, vocabulary, random);
  switch (def.type) {
    case 'string':
      return drawText(schema, vocabulary, random);
    case 'number': {
      const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = rulesOf(schema);
      return Math.min(maximum, Math.max(minimum, 0) + random.below(3));
    }
    case 'boolean':
      return random.chance(50);
    case 'enum': {
      const choices = Object.values(def.entries);
      const known = choices.filter((choice) => vocabulary.words.includes(String(choice)));
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
      const given = Object.entries(def.shape).filter(([, field]) => !hasDefault(field) || random.chance(30));
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
      return random.pick(vocabulary.words);
  }
}

function hasDefault(schema: z.core.$ZodType): boolean {
  return ['default', 'prefault'].includes(schema._zod.def.type);
}

function drawText(schema: z.core.$ZodType, vocabulary: Vocabulary, random: Random): string {
  const fitting = vocabulary.words.filter((word) => z.safeParse(schema, word).success);
  // The newest: jobs and sessions grow old.
  if (fitting.length > 0 && random.chance(85)) return random.pick(fitting.slice(-NEWEST));
  return random.pick(textsOf(schema, random));
}

/** Drawing is slow, so each schema has its texts once. */
const drawn = new WeakMap<z.core.$ZodType, readonly string[]>();

function textsOf(schema: z.core.$ZodType, random: Random): readonly string[] {
  const known = drawn.get(schema);
  if (known) return known;
  const { pattern } = rulesOf(schema);
  const text = pattern ? fc.stringMatching(new RegExp(pattern, 'u')) : fc.string({ maxLength: 40 });
  const all = fc.sample(text, { seed: random.below(2 ** 31), numRuns: 30 });
  const good = all.filter((one) => z.safeParse(schema, one).success);
  const texts = good.length > 0 ? good : all;
  drawn.set(schema, texts);
  return texts;
}

function rulesOf(schema: z.core.$ZodType): { minimum?: number; maximum?: number; pattern?: string } {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as ReturnType<typeof rulesOf>;
}
