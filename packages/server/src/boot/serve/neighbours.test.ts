import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hardwareAddress } from './neighbours.ts';

/** As Linux 6.1 prints it. */
const table = `IP address       HW type     Flags       HW address            Mask     Device
10.73.0.2        0x1         0x2         52:54:00:00:00:01     *        walt0
10.73.0.20       0x1         0x2         52:54:00:00:00:02     *        walt0
10.73.0.3        0x1         0x0         00:00:00:00:00:00     *        walt0
10.73.0.4        0x1         0x6         52:54:00:00:00:04     *        walt0
`;

describe('the hardware address behind', () => {
  const rows: [ip: string, mac: string | undefined][] = [
    ['10.73.0.2', '52:54:00:00:00:01'],
    ['10.73.0.20', '52:54:00:00:00:02'],
    // Asked for, never answered.
    ['10.73.0.3', undefined],
    // Permanent and complete.
    ['10.73.0.4', '52:54:00:00:00:04'],
    ['10.73.0.5', undefined],
  ];
  for (const [ip, mac] of rows) test(ip, () => assert.equal(hardwareAddress(table, ip), mac));
});
