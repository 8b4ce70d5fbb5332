/** `walt image shell`: time to the prompt, against a bare `podman run`, and time to save 1 MB in a 4 GB image. */
import { join } from 'node:path';
import type { Image } from '@walt/contract';
import { Platform } from '../test/platform.ts';
import { makeSmallAndLarge } from './images.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';
import { TerminalCommand } from './terminal-command.ts';

const PROMPT = /root@[^\r\n]*# /;

const { runs, json } = benchOptions(7);
await using platform = await Platform.start();
await makeSmallAndLarge(platform);
const large = (await platform.root.json<Image[]>('image', 'show')).find(({ name }) => name === 'large');
if (!large) throw new Error('the large image is missing');

/** The least that shows a prompt in the same image: podman on the platform's store, with the same network for the container. */
const podman = [
  ...['podman', '--root', platform.paths.containers, '--runroot', platform.paths.containersRun],
  ...['--storage-driver', 'overlay', 'run', '--rm', '--interactive', '--tty', '--network', 'slirp4netns'],
  ...['--', large.digest.slice('sha256:'.length), 'bash'],
];
const podmanEnv = { CONTAINERS_CONF: join(platform.paths.services, 'containers.conf') };

const times: Record<'podman' | 'walt' | 'save', number[]> = { podman: [], walt: [], save: [] };
for (let run = 0; run < runs; run += 1) {
  const bareStart = performance.now();
  const bare = new TerminalCommand(podman, podmanEnv);
  await bare.expect(PROMPT);
  times.podman.push(performance.now() - bareStart);
  bare.type('exit\n');
  await bare.ended;

  const start = performance.now();
  const shell = new TerminalCommand(platform.root.command('image', 'shell', 'large'), platform.root.env);
  await shell.expect(PROMPT);
  times.walt.push(performance.now() - start);
  shell.type(`head -c 1000000 /dev/urandom >/root/change-${run}; echo do""ne\n`);
  await shell.expect(/done\s/);
  shell.type('exit\n');
  await shell.expect(/New image name [^\r\n]*: /);
  const saveStart = performance.now();
  shell.type('\n');
  await shell.ended;
  times.save.push(performance.now() - saveStart);
  progress(
    `run ${run + 1}: podman ${times.podman.at(-1)?.toFixed(0)} ms, walt ${times.walt.at(-1)?.toFixed(0)} ms, save ${times.save.at(-1)?.toFixed(0)} ms`,
  );
}

const [bare, shell, save] = [summarize(times.podman), summarize(times.walt), summarize(times.save)];
conclude(
  {
    bench: 'image-shell',
    measures: [
      { what: 'podman run, to the prompt', unit: 'ms', ...bare },
      { what: 'walt image shell, to the prompt', unit: 'ms', ...shell },
      { what: 'saving 1 MB in a 4 GB image', unit: 'ms', ...save },
    ],
    bounds: [
      { claim: 'prompt, walt image shell : podman run', value: shell.median / bare.median, limit: 1.5 },
      { claim: 'ms to save 1 MB', value: save.median, limit: 1000 },
    ],
  },
  json,
);
