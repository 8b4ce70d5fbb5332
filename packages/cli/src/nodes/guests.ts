/** Options and words about logins and groups with whom something is shared. */
import type { GuestList } from '@walt/contract';
import { Option } from 'commander';
import { visibleName } from '../terminal/visible.ts';

export interface GroupOption {
  group?: string[];
}

export function groupOption(): Option {
  return new Option('--group <group>', 'all logins in a group of the server; may be given again').argParser(
    (text: string, before: string[] | undefined) => [...(before ?? []), text],
  );
}

/** `bob, carol, group students`; empty: nobody. */
export function guestText({ users, groups }: GuestList): string {
  return [...users, ...groups.map((group) => `group ${group}`)].map(visibleName).join(', ');
}
