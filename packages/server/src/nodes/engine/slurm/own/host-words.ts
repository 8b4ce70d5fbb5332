/** Names of hosts, and words for what they have, which become words of Slurm's configuration. Pure. */
import { parsePlacement } from '@walt/contract';
import { UserError } from '../../../../platform/index.ts';
import { NO_NODES, VOLUMES } from '../features.ts';

/** Of DNS, without capitals: a host has one name, however it is written. */
const NAME = /^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
/** What else these say, to us or to Slurm (slurm.conf(5), "NodeName"). */
const TAKEN = ['any', 'all', 'default', 'localhost', 'none'];
/** What is found out is not said. */
const FOUND = ['kvm', 'amd64', 'arm64'];
/** What has an option of its own. */
const SAID = new Map([
  [VOLUMES, '--volumes'],
  [NO_NODES, '--volumes-only'],
]);

export function isFound(feature: string): boolean {
  return FOUND.includes(feature);
}

/** Throws UserError INVALID. */
export function checkHostName(name: string): void {
  if (NAME.test(name) && !TAKEN.includes(name)) return;
  throw new UserError(
    'INVALID',
    `${JSON.stringify(name.slice(0, 80))} is no name for a host.`,
    `A name has up to 32 small letters, digits and hyphens, and begins with a letter. These mean something else: ${TAKEN.join(', ')}.`,
  );
}

/** Throws UserError INVALID. */
export function checkFeature(word: string): void {
  const option = SAID.get(word);
  if (option !== undefined)
    throw new UserError(
      'INVALID',
      `${word} is more than a word for what a host has: it tells what it does.`,
      `Say ${option} instead of --feature ${word}.`,
    );
  if (isFound(word)) {
    const hint = word === 'kvm' ? 'To insist on it, say --kvm.' : 'Leave it out.';
    throw new UserError('INVALID', `Whether a host has ${word} is found out.`, hint);
  }
  if (parsePlacement(`with:${word}`)?.features.length === 1) return;
  throw new UserError(
    'INVALID',
    `${JSON.stringify(word.slice(0, 80))} is no word for what a host has.`,
    'It has letters, digits, dots, hyphens and underscores, as gpu or usb-serial.',
  );
}

/** What a machine tells, as it can be shown: it steers no terminal. Pure. */
export function shown(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
