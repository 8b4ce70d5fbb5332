/** Words by which agents of nodes, and hosts that serve volumes, prove who they are. */
import { randomBytes, timingSafeEqual } from 'node:crypto';

export function freshToken(): string {
  return randomBytes(24).toString('hex');
}

export function sameSecret(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
