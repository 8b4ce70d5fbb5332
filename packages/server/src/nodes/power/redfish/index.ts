/** A program of ours that asks one Redfish service for one act, with the host's network, which the server itself does not have. */
export type { Failure, Order, Outcome } from './protocol.ts';
