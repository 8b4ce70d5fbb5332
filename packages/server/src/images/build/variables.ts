/** Variables of a Dockerfile, where it is we who need their values: in front of and in FROM. Pure. */

/** Undefined: the text uses a form that is not known. A variable that is not set is empty. */
export function expand(
  text: string,
  variables: ReadonlyMap<string, string>,
  escaping = '\\',
): string | undefined {
  let result = '';
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const plain = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(rest);
    const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^${}]*))?\}/.exec(rest);
    if (rest.startsWith(escaping) && rest.length > 1) {
      result += rest[1];
      at += 2;
    } else if (plain) {
      result += variables.get(plain[1] ?? '') ?? '';
      at += plain[0].length;
    } else if (braced) {
      const [whole, name = '', operator, word = ''] = braced;
      result += replacement(variables.get(name), operator, word);
      at += whole.length;
    } else if (rest.startsWith('$')) return undefined;
    else {
      if (rest[0] !== '"' && rest[0] !== "'") result += rest[0];
      at += 1;
    }
  }
  return result;
}

function replacement(value: string | undefined, operator: string | undefined, word: string): string {
  const isSet = value !== undefined && !(operator?.startsWith(':') && value === '');
  if (operator?.endsWith('-')) return isSet ? value : word;
  if (operator?.endsWith('+')) return isSet ? word : '';
  return value ?? '';
}
