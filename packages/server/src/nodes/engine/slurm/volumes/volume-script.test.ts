import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../../../platform/index.ts';
import { jobProgram } from '../job-script.ts';
import { volumeScript } from './volume-script.ts';

const place = { platform: 'cfded558', server: '192.0.2.1', vxlanPort: 4789 };
const walt = { server: '10.73.0.1', prefix: 16, cidr: '10.73.0.0/16' };

test('bash understands all of it; another address or secret makes it another job', async () => {
  const program = await jobProgram('volumes/serve-volumes.sh');
  const of = (ip: string, token: string) => volumeScript({ ip, token }, place, walt, program);
  const { script, hash } = of('10.73.127.254', 'secret');
  await run(['bash', '-n'], { input: script });
  const head = script.slice(0, script.indexOf('\nset -u'));
  const printed = await run([
    'bash',
    '-c',
    `${head}\nprintf '%s %s\\n' "$address" "$mac"; printf %s "$ganesha"`,
  ]);
  assert.match(printed, /^10\.73\.127\.254\/16 02:57:0a:49:7f:fe\n/);
  assert.match(printed, /Bind_addr = 10\.73\.127\.254;/);
  assert.match(printed, /Protocols = 4;/);
  assert.match(printed, /Path = "\/run\/walt-host\/cfded558\/volumes\/volumes"; Pseudo = "\/volumes"/);
  assert.match(printed, /Clients = 10\.73\.0\.0\/16; Access_Type = RO/);
  assert.notEqual(of('10.73.127.253', 'secret').hash, hash);
  assert.notEqual(of('10.73.127.254', 'other').hash, hash);
});
