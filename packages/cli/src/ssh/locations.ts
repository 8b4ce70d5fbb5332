/** `HERE`, `NODE:THERE`: the arguments of cp commands. */
export interface Location {
  /** Node or image; undefined for this machine. */
  remote: string | undefined;
  path: string;
}

/** As scp(1) reads it: a colon before any slash separates a remote name; `./a:b` is a local file. */
export function parseLocation(text: string): Location {
  const colon = text.indexOf(':');
  const slash = text.indexOf('/');
  if (colon < 1 || (slash !== -1 && slash < colon)) return { remote: undefined, path: text };
  return { remote: text.slice(0, colon), path: text.slice(colon + 1) };
}

/**
 * As `parseLocation` for images, whose names may contain a tag and an owner: `name:PATH`, `name:tag:PATH`,
 * `owner/name:PATH`. A path inside an image is absolute, so `:/` is where it begins.
 */
export function parseImageLocation(text: string): Location {
  const match =
    /^((?:[A-Za-z_][A-Za-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*(?::[A-Za-z0-9_][A-Za-z0-9._-]*)?):(\/.*)$/s.exec(
      text,
    );
  if (match?.[1] === undefined || match[2] === undefined) return { remote: undefined, path: text };
  return { remote: match[1], path: match[2] };
}
