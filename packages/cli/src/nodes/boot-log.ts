/** `walt node log`: a few lines for each boot. */
import type { NodeBoot } from '@walt/contract';
import type { BootCause, BootStep } from '@walt/contract/values/boots';
import { shortDigest } from '@walt/contract/values/digests';
import { humanDate } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { visibleName } from '../terminal/visible.ts';

/** Orders of users go on after a user's name. */
const CAUSES: Record<BootCause, string> = {
  create: 'made it',
  boot: 'changed its image',
  reboot: 'ordered a reboot',
  'hard-reboot': 'had its power cut',
  acquire: 'acquired it',
  release: 'released it',
  new: 'it was new to the platform',
  start: 'the server started its machine',
  timeout: 'it had not come up in its time: its power was cut',
  failure: 'its last boot could not go on',
  volumes: 'what served its volumes was gone, or gave wrong ones',
  itself: 'it went down by itself',
  unknown: 'nobody ordered it here: power lost, reset by hand, or crashed',
};

/** What the time before each step went by with. */
const STEPS: Record<BootStep, string> = {
  restart: 'order',
  kexec: 'kexec',
  dhcp: 'firmware',
  asked: 'address',
  script: 'script',
  kernel: 'kernel',
  initramfs: 'initramfs',
  network: 'start',
  root: 'volumes',
  init: 'handover',
  booted: 'init',
};

const STATES: Record<NodeBoot['state'], string> = {
  waiting: 'waits for the node',
  booting: 'boots',
  booted: 'booted',
  failed: 'failed',
  lost: 'did not come up',
};

export function renderBoots(boots: readonly NodeBoot[], paint: Paint): string {
  if (boots.length === 0) return 'No boot of it is known yet.\n';
  return boots.map((boot) => bootText(boot, paint)).join('\n');
}

function bootText(boot: NodeBoot, paint: Paint): string {
  const { began, state, attempt, image, digest, steps, noKexec } = boot;
  const what = image === null || digest === null ? [] : [`${image} (${shortDigest(digest)})`];
  const again = attempt > 1 ? [`attempt ${attempt}`] : [];
  const head = [`${STATES[state] ?? state}${timeUntilUp(boot)}`, ...what, ...again].map(visibleName);
  const lines = [
    `${paint(humanDate(began), 'bold')}  ${head.join(', ')}`,
    `  ${visibleName(reason(boot))}`,
    ...(steps.length > 0 ? [`  ${steps.map((step, index) => spent(boot, step, index)).join(' · ')}`] : []),
    ...ranLines(boot),
    ...(noKexec ? [`  not by kexec: ${visibleName(noKexec)}`] : []),
    ...failureLines(boot, paint),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function reason({ cause, user, steps }: NodeBoot): string {
  const words = Object.hasOwn(CAUSES, cause) ? CAUSES[cause] : cause;
  const way = steps.some(({ step }) => step === 'kexec') ? ' (by kexec)' : '';
  return `${user === null ? words : `${user} ${words}`}${way}`;
}

function timeUntilUp({ steps, began }: NodeBoot): string {
  const up = steps.find(({ step }) => step === 'booted');
  return up ? ` after ${seconds(up.at - began)}` : '';
}

/** How long a step took: since the one before, or since the boot was ordered. */
function spent({ steps, began }: NodeBoot, { step, at }: NodeBoot['steps'][number], index: number): string {
  const words = Object.hasOwn(STEPS, step) ? STEPS[step] : visibleName(step);
  return `${words} ${seconds(at - (steps[index - 1]?.at ?? began))}`;
}

function ranLines({ kernel, initramfs, platform }: NodeBoot): string[] {
  const ran = Object.entries({ kernel, initramfs, platform }).flatMap(([what, digest]) =>
    digest === null ? [] : [`${what} ${visibleName(shortDigest(digest))}`],
  );
  return ran.length > 0 ? [`  ${ran.join(', ')}`] : [];
}

function failureLines({ failure }: NodeBoot, paint: Paint): string[] {
  if (failure === null) return [];
  const console = failure.console.map((line) => `  | ${visibleName(line)}`);
  return [`  ${paint('failed', 'red')}: ${visibleName(failure.reason)}`, ...console];
}

function seconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
}
