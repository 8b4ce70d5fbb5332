import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { attempt, projectFile } from './platform/index.ts';
import { renderUnit } from './service-unit.ts';

test('systemd understands the unit', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-unit-'));
  t.after(() => rm(folder, { recursive: true }));
  // Paths with everything that systemd takes for its own.
  for (const [index, config] of [null, '/etc/walt/server.conf', '/a b/"c"/100%/$x.conf'].entries()) {
    const file = join(folder, `walt-${index}.service`);
    await writeFile(file, renderUnit(projectFile('.'), config));
    const { status, stderr } = await attempt(['systemd-analyze', 'verify', '--man=no', file]);
    assert.equal(stderr, '');
    assert.equal(status, 0);
  }
});

test('it names the platform, starts again what ends by accident, and leaves nodes alone', () => {
  const unit = renderUnit('/opt/walt', '/a b/"c"/100%/$x.conf');
  assert.match(
    unit,
    /^ExecStart="\/opt\/walt\/walt-server" "--config" "\/a b\/\\"c\\"\/100%%\/\$\$x\.conf" run$/m,
  );
  assert.match(unit, /^Restart=always$/m);
  assert.match(unit, /^Type=notify$/m);
  assert.match(unit, /^WatchdogSec=/m);
  assert.match(unit, /^KillMode=process$/m);
  assert.match(unit, /^RestartPreventExitStatus=0 78$/m);
});
