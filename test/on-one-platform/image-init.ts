/** An image that brings walt-image-shell-start and -shutdown runs its own systemd in the image shell. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { leavePlatform, usePlatform } from '../shared-platform.ts';
import { Terminal } from '../terminal.ts';

let platform: Platform;

const FILES: Record<string, string> = {
  // What a node has and a container does without.
  'walt-image-shell-start': '#!/bin/sh\necho tuned >/etc/tuned\nexec /sbin/init\n',
  'walt-image-shell-shutdown': '#!/bin/sh\nrm /etc/tuned\ninit 0\n',
  'greeter.service':
    '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "echo hello >/srv/greeting"\n',
  Dockerfile: `FROM waltplatform/${DEFAULT_IMAGE}
COPY --chmod=755 walt-image-shell-start walt-image-shell-shutdown /bin/
COPY greeter.service /etc/systemd/system/
`,
};

/** It listens a moment after it has started. */
const LISTENS = 'until [ -S /run/systemd/private ]; do sleep 0.1; done';

before(async () => {
  platform = await usePlatform();
  const { root } = platform;
  const folder = join(root.home, 'sources');
  await mkdir(folder);
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(folder, name), text);
  await root.ok('image', 'build', 'services', '--from-dir', folder);
});
after(leavePlatform);

test('services run in its shell, what they write is saved, and what only the shell needed is not', async () => {
  const { root } = platform;
  await using terminal = await Terminal.open(root.command('image', 'shell', 'services'), { env: root.env });
  await terminal.expect(/# $/m);
  await terminal.enter('cat /proc/1/comm; cat /etc/tuned');
  await terminal.expect(/^systemd\ntuned$/m);
  await terminal.enter(
    `${LISTENS}; systemctl is-system-running --wait; systemctl start greeter && cat /srv/greeting`,
  );
  await terminal.expect(/^(?:running|degraded)\nhello$/m);
  await terminal.enter('exit');
  await terminal.expect(/New image name/);
  await terminal.enter('');
  await terminal.expect(/root\/services is saved/);
  assert.equal(await terminal.exited(), 0);
  const listing = 'ls /etc/tuned /etc/machine-id; wc -c </etc/machine-id; cat /srv/greeting';
  const { stdout } = await root.run(root.command('image', 'run', 'services', '--', 'sh', '-c', listing));
  assert.equal(stdout, '/etc/machine-id\n0\nhello\n');
});

test('what systemd itself writes is no change of the user', async () => {
  const { root } = platform;
  await using terminal = await Terminal.open(root.command('image', 'shell', 'services'), { env: root.env });
  await terminal.expect(/# $/m);
  await terminal.enter(`${LISTENS}; systemctl is-system-running --wait; exit`);
  await terminal.expect(/^(?:running|degraded)\n.*Nothing changed\.$/ms);
  assert.equal(await terminal.exited(), 0);
});
