/** SHA-256 digests: identities of images, layers and registries' manifests. */

export const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** The part of a digest that people can compare: `sha256:0123456789ab`. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12);
}
