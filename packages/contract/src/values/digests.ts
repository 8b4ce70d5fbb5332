/** SHA-256 digests: identities of images, layers and registries' manifests. */

export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** The digits of a digest: names of files are made of them. Throws RangeError for what is no digest. */
export function digestHex(digest: string): string {
  if (!DIGEST.test(digest)) throw new RangeError(`not a digest: ${JSON.stringify(digest)}`);
  return digest.slice('sha256:'.length);
}

/** The part of a digest that people can compare: `sha256:0123456789ab`. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12);
}
