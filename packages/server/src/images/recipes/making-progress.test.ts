import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MakingProgress } from './making-progress.ts';

test('phases and packages become percents that never fall', () => {
  const told: string[] = [];
  const progress = new MakingProgress((step, amount) => told.push(`${amount?.done} ${step}`));
  for (const line of [
    'I: using /tmp/x as tempdir',
    'Setting up outside (1) ...',
    'I: running apt-get update...',
    'I: downloading packages with apt...',
    '0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.',
    'I: installing essential packages...',
    'Unpacking a (1) ...',
    'Unpacking b (1) ...',
    'Setting up a (1) ...',
    'Setting up b (1) ...',
    'Setting up b (1) again ...',
    'I: creating tarball...',
  ]) {
    progress.line(line);
  }
  assert.deepEqual(told, [
    '0 Reading the list of Debian packages',
    '4 Fetching the base system',
    '20 Installing the base system',
    '25 Installing the base system',
    '31 Installing the base system',
    '36 Installing the base system',
    '42 Installing the base system',
    '92 Packing the image',
  ]);
});
