import assert from 'node:assert/strict';
import { it } from 'node:test';
import { hostNetwork } from './host.ts';

it('keeps the arguments as they are, behind "--"', () => {
  assert.deepEqual(hostNetwork({ network: { namespace: 'lab' } }, ['podman', '--version', 'a b']), [
    'nsenter',
    '--net=/run/netns/lab-host',
    '--',
    'podman',
    '--version',
    'a b',
  ]);
});
