import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessConfig } from '../platform/index.ts';
import { warnOfStrangers } from './guests.ts';
import { asksGroups, EVERYBODY, named, roleOf } from './roles.ts';

const lists: AccessConfig = {
  administrators: ['ann', '@wheel'],
  members: ['bob', '@lab'],
  viewers: ['carol', '@LAB\\domain users', 'bob'],
};
const open: AccessConfig = { ...lists, members: undefined };

const cases: [
  who: string,
  uid: number,
  user: string,
  groups: string[],
  role: string | undefined,
  ifOpen: string,
][] = [
  ['root', 0, 'root', [], 'administrator', 'administrator'],
  ['who is named', 1, 'ann', [], 'administrator', 'administrator'],
  ['whose group is named', 2, 'dave', ['users', 'wheel'], 'administrator', 'administrator'],
  ['the higher role counts', 3, 'bob', [], 'member', 'viewer'],
  ['a group of members', 4, 'dave', ['lab'], 'member', 'member'],
  ['a viewer', 5, 'carol', [], 'viewer', 'viewer'],
  ['a group with a blank', 6, 'dave', ['LAB\\domain users'], 'viewer', 'viewer'],
  ['nobody names him', 7, 'dave', ['users'], undefined, 'member'],
  ['a login that is called as a group', 8, 'wheel', [], undefined, 'member'],
  ['a group that is called as a login', 9, 'dave', ['ann'], undefined, 'member'],
];

for (const [who, uid, user, groups, role, ifOpen] of cases) {
  test(who, () => {
    const login = { uid, user, groups: new Set(groups) };
    assert.equal(roleOf(login, lists), role);
    assert.equal(roleOf(login, open), ifOpen);
    assert.equal(roleOf(login, EVERYBODY), uid === 0 ? 'administrator' : 'member');
  });
}

test('groups are asked for where a role depends on them', () => {
  assert.equal(asksGroups(lists), true);
  assert.equal(asksGroups(EVERYBODY), false);
  assert.equal(asksGroups({ ...EVERYBODY, viewers: ['ann'] }), false);
});

test('names that the machine does not know are told at the start', async () => {
  const lists = {
    administrators: ['root', 'walt-nobody-is-called-so'],
    members: undefined,
    viewers: ['@root', '@walt-no-group', 'walt-nobody-is-called-so'],
  };
  const told: unknown[] = [];
  await warnOfStrangers('roles', named(lists), { warn: (_message, fields) => told.push(fields) });
  assert.deepEqual(told, [{ users: 'walt-nobody-is-called-so' }, { groups: 'walt-no-group' }]);
});
