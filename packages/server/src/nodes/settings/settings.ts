import {
  isSettingName,
  NODE_SETTINGS,
  type NodeSettingValue,
  SETTING_NAMES,
  type SettingName,
  UNSET,
} from '@walt/contract';
import { nameList, nearNames, UserError } from '../../platform/index.ts';
import { settingOf } from '../setting-values.ts';
import type { NodeRow, SettingChanges } from '../store.ts';

type Configured = Pick<NodeRow, 'name' | 'type' | 'model' | 'settings'>;

/** Those that the node has, in the order of the table. */
export function settingsOf(node: Configured): NodeSettingValue[] {
  return SETTING_NAMES.filter((name) => has(node, name)).map((name) => ({
    name,
    value: settingOf(node, name),
    isSet: node.settings[name] !== undefined,
  }));
}

/**
 * What is to be changed, by what a user typed: each setting exists, is named once, takes that value, and all nodes have it. Throws
 * UserError. Whether the value fits the nodes is for `checks.ts`.
 */
export function readChanges(
  typed: readonly { name: string; value: string }[],
  nodes: readonly Configured[],
): SettingChanges {
  const changes: Partial<Record<SettingName, string | null>> = {};
  for (const { name, value } of typed) {
    if (!isSettingName(name)) throw unknown(name);
    if (Object.hasOwn(changes, name)) {
      throw new UserError('INVALID', `${name} is given twice.`, 'Name each setting once.');
    }
    const { fallback, takes, accepts, of } = NODE_SETTINGS[name];
    const without = nodes.filter((node) => !has(node, name));
    if (without.length > 0) {
      throw new UserError(
        'INVALID',
        `Only ${of} have the setting ${name}: ${nameList(without)} not.`,
        'Leave out what has it not. Nothing was changed.',
      );
    }
    const meant = spelled(name, value);
    const isReset = meant === UNSET && fallback !== null;
    if (!isReset && !accepts(meant)) {
      const ways = fallback === null ? takes : `${takes}; ${UNSET} means ${fallback}`;
      throw new UserError(
        'INVALID',
        `${name} cannot be "${value}".`,
        `It must be ${ways}. Nothing was changed.`,
      );
    }
    changes[name] = isReset ? null : meant;
  }
  return changes;
}

/** Words have any case, as `nat` for NAT. */
function spelled(name: SettingName, value: string): string {
  const typed = value.toLowerCase();
  const words = [UNSET, ...NODE_SETTINGS[name].offers];
  return words.find((word) => word.toLowerCase() === typed) ?? value;
}

function has({ type }: Pick<NodeRow, 'type'>, name: SettingName): boolean {
  const { of } = NODE_SETTINGS[name];
  return of === 'all nodes' || (of === 'physical nodes') === (type === 'physical');
}

function unknown(name: string): UserError {
  const near = nearNames(name, SETTING_NAMES);
  return new UserError(
    'INVALID',
    `There is no setting "${name}".`,
    near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Settings are ${SETTING_NAMES.join(', ')}.`,
  );
}
