import type { Checkpoint } from '@walt/contract';
import { readFormat } from './line-format.ts';

const form = readFormat('{timestamp:%F %T.%f}');

/** A moment, in the time of this machine. */
export function momentText(at: number): string {
  return form({ time: at, issuer: '', stream: '', line: '' });
}

export function checkpointData({ name, at }: Checkpoint): { name: string; timestamp: string } {
  const micros = String(Math.round(at) % 1000).padStart(3, '0');
  return { name, timestamp: new Date(at / 1000).toISOString().replace('Z', `${micros}Z`) };
}
