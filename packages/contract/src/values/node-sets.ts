/**
 * Sets of nodes, as users write them wherever a command takes one:
 *
 *     SET       = WORD *("," WORD) *(" " CONDITION)
 *     WORD      = name of a node | keyword of NODE_SETS | pattern of names, as "pi-*"
 *     CONDITION = FIELD ("=" | "!=") VALUE *("," VALUE)
 *
 * A node is in it that one of the words means, and that all conditions hold for. Values are patterns, too. Patterns are those of
 * `globs.ts`; what an unbounded number of them would cost on many nodes is why a set has so few.
 */
import { type Glob, readGlob } from './globs.ts';

/** Of a node, what conditions are about: part of the contract's `Node`. */
export interface DescribedNode {
  name: string;
  model: string;
  architecture: string;
  type: string;
  /** `owner/name`. */
  image: string;
  owner: string | null;
  state: string;
  current: boolean;
  power: { kind: string };
}

/** Stands for nobody, where a condition is about an owner. */
const NO_OWNER = 'none';

/** Fields that conditions can be about, each as the word that a condition compares. */
export const NODE_FIELDS = {
  model: ({ model }) => model,
  type: ({ type }) => type,
  architecture: ({ architecture }) => architecture,
  image: ({ image }) => image,
  owner: ({ owner }) => owner ?? NO_OWNER,
  state: ({ state }) => state,
  current: ({ current }) => (current ? 'yes' : 'no'),
  power: ({ power }) => power.kind.replaceAll(' ', '-'),
  name: ({ name }) => name,
} as const satisfies Record<string, (node: DescribedNode) => string>;
export type NodeField = keyof typeof NODE_FIELDS;

/** Characters of all patterns of a set together, and conditions. */
export const MAX_SET_PATTERNS = 128;
export const MAX_CONDITIONS = 16;

const NAME = /^[a-z][a-z0-9-]*$/;
const PATTERN = /^[a-z0-9*?[\]^-]+$/;
const WILD = /[*?[]/;
const CONDITION = /^([a-z]+)(!?=)(.*)$/s;
/** What names, models, users and `owner/name:tag` are made of, and patterns of them. */
const VALUE = /^[A-Za-z0-9._:/*?[\]^-]+$/;

/** A text as it is, or a pattern of texts. */
export type TextPattern = string | Glob;

export interface Condition {
  field: NodeField;
  /** True: it must be none of the values. */
  not: boolean;
  values: readonly TextPattern[];
}

export interface ParsedSet {
  words: readonly { text: string; pattern: Glob | undefined }[];
  conditions: readonly Condition[];
}

/** A string tells what is wrong with it: it goes on after "The set of nodes". */
export function parseNodeSet(text: string): ParsedSet | string {
  const [names = '', ...rest] = text.split(' ');
  const budget = { left: MAX_SET_PATTERNS };
  const words: ParsedSet['words'][number][] = [];
  for (const word of names.split(',')) {
    if (NAME.test(word)) words.push({ text: word, pattern: undefined });
    else if (!PATTERN.test(word) || !WILD.test(word)) {
      return `must be node names, keywords or patterns as "pi-*", separated by commas: ${JSON.stringify(word)} is none of them`;
    } else {
      const pattern = readPattern(word, budget);
      if (typeof pattern === 'string') return pattern;
      words.push({ text: word, pattern });
    }
  }
  if (rest.length > MAX_CONDITIONS) return `must have ${MAX_CONDITIONS} conditions at most`;
  const conditions: Condition[] = [];
  for (const one of rest) {
    const condition = parseCondition(one, budget);
    if (typeof condition === 'string') return condition;
    conditions.push(condition);
  }
  return { words, conditions };
}

function parseCondition(text: string, budget: { left: number }): Condition | string {
  const [, field = '', sign, list = ''] = CONDITION.exec(text) ?? [];
  if (sign === undefined) {
    return `must have conditions as FIELD=VALUE or FIELD!=VALUE: ${JSON.stringify(text)} is none`;
  }
  if (!isNodeField(field)) {
    return `must have conditions on fields of nodes, and "${field}" is none: they are ${Object.keys(NODE_FIELDS).join(', ')}`;
  }
  const values: TextPattern[] = [];
  for (const value of list.split(',')) {
    if (!VALUE.test(value)) {
      return `must have conditions as ${field}=VALUE or ${field}=VALUE,VALUE: ${JSON.stringify(value)} is no such value`;
    }
    const pattern = WILD.test(value) ? readPattern(value, budget) : undefined;
    if (typeof pattern === 'string') return pattern;
    values.push(pattern ?? value);
  }
  return { field, not: sign === '!=', values };
}

function readPattern(text: string, budget: { left: number }): Glob | string {
  budget.left -= text.length;
  if (budget.left < 0) return `must have patterns of ${MAX_SET_PATTERNS} characters at most, all together`;
  return readGlob(text) ?? `must have patterns with an end to each bracket: ${JSON.stringify(text)} is none`;
}

export function isNodeField(text: string): text is NodeField {
  return Object.hasOwn(NODE_FIELDS, text);
}
