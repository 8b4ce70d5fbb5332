/** Tells by samples what compression gains. */
import { closeSync, constants as files, fstatSync, openSync, readSync } from 'node:fs';
import { constants, deflateRawSync } from 'node:zlib';

/** How many samples are taken of a file, and their size in bytes: large files are few, and may change on the way. */
const SAMPLES = 4;
const SAMPLE = 4 * 1024;
const LARGE_SAMPLE = 16 * 1024;
const LARGE = 1024 * 1024;
/** What is left of data that is worth compressing, at most. */
const WORTH = 0.97;

/** Whether lz4 would not make this file smaller. Waits for the disk. */
export function isIncompressible(path: string): boolean {
  const samples = samplesOf(path);
  // Like lz4, it then gains by repetitions alone.
  const left = deflateRawSync(samples, { level: 1, strategy: constants.Z_FIXED }).length;
  return left > samples.length * WORTH;
}

function samplesOf(path: string): Buffer {
  const file = openSync(path, files.O_RDONLY | files.O_NOFOLLOW);
  try {
    const { size } = fstatSync(file);
    const length = size < LARGE ? SAMPLE : LARGE_SAMPLE;
    const samples = Buffer.alloc(length * SAMPLES);
    for (let at = 0; at < SAMPLES; at += 1) {
      const start = Math.floor(((size - length) * at) / (SAMPLES - 1));
      readSync(file, samples, at * length, length, start);
    }
    return samples;
  } finally {
    closeSync(file);
  }
}
