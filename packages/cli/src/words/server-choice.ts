/** `--server NAME` in front of a command line: which server is meant, by this walt and by what it starts. */
import { UsageError } from '../errors.ts';

const OPTION = '--server';

/** Answers the other words. Throws UsageError when the name is missing. */
export function chooseServer(words: readonly string[]): readonly string[] {
  const [option = '', next] = words;
  const joined = option.startsWith(`${OPTION}=`);
  if (!joined && option !== OPTION) return words;
  const name = joined ? option.slice(OPTION.length + 1) : next;
  if (!name) throw new UsageError(`\`${OPTION}\` needs a name.`, '`walt server list` lists your servers.');
  process.env.WALT_SERVER = name;
  return words.slice(joined ? 1 : 2);
}

/** True when the last of these words is to be the name. */
export function namesServer(words: readonly string[]): boolean {
  return words.length === 2 && words[0] === OPTION;
}
