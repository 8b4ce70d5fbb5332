/** `.containerignore` and `.dockerignore`: which files of a folder a build does not get. */
import { AbortError } from '@walt/client/errors';
import { IgnoreRules, MAX_IGNORE_RULES, parseIgnoreRules } from '@walt/contract/values/ignore-rules';

/** Throws AbortError that names the line of `file` which is no pattern. */
export function readIgnoreRules(text: string, file = '.dockerignore'): IgnoreRules {
  const rules = parseIgnoreRules(text);
  if (rules instanceof IgnoreRules) return rules;
  if (rules === 'many') {
    throw new AbortError(
      'INVALID',
      `${file} has more than ${MAX_IGNORE_RULES} patterns.`,
      'Write fewer, with * in them.',
    );
  }
  throw new AbortError(
    'INVALID',
    `${file}:${rules.line}: ${JSON.stringify(rules.pattern.slice(0, 80))} is no pattern.`,
    'Mend or remove that line.',
  );
}
