/** What the server and the gate tell each other: one JSON object per line. */

export interface Order {
  /** Where the registry answers: `https://lab.example:5000`. */
  origin: string;
  /** Where its search answers, which only Docker Hub has. */
  searchOrigin: string | null;
  /** Of the caller. They leave the gate for the registry and the hosts that belong to it only. */
  credentials: { username: string; password: string } | null;
  /** Certificates (PEM) that may vouch for hosts, besides those that Debian knows. */
  authority: string | null;
  /** `host` or `host:port`: what belongs to the registry besides its own host. */
  otherHosts: readonly string[];
  /** Milliseconds without a byte after which a host is taken for dead. */
  silence: number;
}

/** What the server asks. Answered by a message with the same `id`, in any order. */
export type Question = { id: number } & (
  | { get: string; accept: string; limit: number }
  /** Opens the door for a program that copies one repository. `blobs`: the bytes that each may have; others must be small. */
  | { open: { repository: string; secret: string; blobs: Readonly<Record<string, number>> } }
  /** What went wrong last at the door: the program behind it tells less. */
  | { failed: true }
);

export interface Answer {
  status: number;
  /** Of the next page (RFC 8288), as the registry sends it. */
  link: string | null;
  /** Base64: what a digest is computed of must be bytes. */
  body: string;
}

export type Message =
  | { id: number; answer: Answer }
  | { id: number; port: number }
  | { id: number; failed: Failure | null }
  | { id: number; failure: Failure }
  /** Bytes of layers that have come or gone through the door until now. */
  | { moved: number };

export type FailureKind =
  | 'unauthorized'
  | 'denied'
  | 'too-many-requests'
  | 'not-found'
  | 'status'
  | 'unknown-authority'
  | 'unsafe-connection'
  | 'plain-http'
  | 'no-such-host'
  | 'unreachable'
  | 'broke-off'
  | 'silent'
  | 'too-large'
  | 'bad-answer'
  | 'circles'
  | 'downgrade'
  | 'foreign-realm'
  | 'internal-address';

export interface Failure {
  kind: FailureKind;
  /** The host, status or limit in question; printable ASCII, short. */
  detail: string;
}

/** Bytes of an answer that is no layer: manifest, configuration, list. As containers/image bounds them. */
export const SMALL = 4 * 1024 * 1024;

/** Media types that the server understands, and so what a registry may answer with. */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');
