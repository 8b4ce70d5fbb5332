import { hasErrno } from '../errors.ts';

/** True for the failures by which a connection shows that one of its ends has left: nobody's mistake. */
export function isHangUp(error: unknown): boolean {
  return hasErrno(
    error,
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'ERR_STREAM_PREMATURE_CLOSE',
    'ERR_STREAM_DESTROYED',
    // Ours, when a pipeline was left half-way.
    'ABORT_ERR',
  );
}
