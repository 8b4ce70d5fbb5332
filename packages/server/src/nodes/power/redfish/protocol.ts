/** What the server and the program that asks a Redfish service tell each other: one order, one outcome, as JSON. */

export interface Order {
  host: string;
  port: number;
  user: string;
  password: string;
  /** Certificates of authorities (PEM), where Debian does not know them. */
  authority: string | null;
  /** SHA-256 of the service's own certificate, as `AB:CD:…`; no authority counts then. */
  fingerprint: string | null;
  /** Id of the computer system; null: the only one. */
  system: string | null;
  act: 'state' | 'on' | 'off' | 'reset';
}

export type Outcome = { state: 'on' | 'off' } | { failure: Failure };

export interface Failure {
  /** `certificate`: it is somebody else; `password`: it does not let us in; `system`: it has not that one, or several. */
  kind: 'silent' | 'certificate' | 'password' | 'redirect' | 'system' | 'refused' | 'absurd';
  /** Goes on after "The source of power … ". */
  words: string;
}

export class RedfishError extends Error {
  readonly failure: Failure;
  constructor(kind: Failure['kind'], words: string) {
    super(words);
    this.failure = { kind, words };
  }
}
