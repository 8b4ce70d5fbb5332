/** `walt node config`: what a user types as NAME=VALUE, and settings as he reads them. */
import type { NodeSettingValue } from '@walt/contract';
import { NODE_SETTINGS, SETTING_NAMES, type SettingName, UNSET } from '@walt/contract/values/node-settings';
import type { Command } from 'commander';
import { UsageError } from '../errors.ts';
import { nameList } from '../terminal/human.ts';
import type { Paint } from '../terminal/style.ts';
import { visibleName } from '../terminal/visible.ts';

export interface NodeSettings {
  name: string;
  settings: readonly NodeSettingValue[];
}

/** Throws UsageError for a word that is none; which settings there are, the server knows. */
export function parseSettings(words: readonly string[]): { name: string; value: string }[] {
  return words.map((word) => {
    const end = word.indexOf('=');
    if (end > 0) return { name: word.slice(0, end), value: word.slice(end + 1) };
    throw new UsageError(
      `"${word}" does not look like NAME=VALUE.`,
      'As in: walt node config NODE boot.timeout=300',
    );
  });
}

/** Nodes with equal settings together. */
export function renderSettings(nodes: readonly NodeSettings[], paint: Paint): string {
  const groups = Map.groupBy(nodes, ({ settings }) => JSON.stringify(settings));
  return [...groups.values()]
    .map((group) => {
      const names = nameList(group.map(({ name }) => name));
      const lines = (group[0]?.settings ?? []).map((setting) => `  ${renderSetting(setting, paint)}\n`);
      return `${paint(names, 'bold', 'cyan')}\n${lines.join('')}`;
    })
    .join('\n');
}

/** What is shown is what can be typed; what was set says so. */
export function renderSetting({ name, value, isSet }: NodeSettingValue, paint: Paint): string {
  const text = visibleName(`${name}=${value}`);
  return isSet ? `${text}  ${paint('(set)', 'dim')}` : text;
}

/** For `addHelpText`: all settings, or those that such nodes have. */
export function settingsHelp(kind?: 'virtual nodes'): (help: { command: Command }) => string {
  const names = SETTING_NAMES.filter((name) => {
    const { of } = NODE_SETTINGS[name];
    return kind === undefined || of === 'all nodes' || of === kind;
  });
  return ({ command }) => {
    const width = command.configureOutput().getOutHelpWidth?.() ?? 80;
    const help = command.createHelp();
    const rows = names.map((name) => {
      const text = help.boxWrap(describe(name, kind), width - INDENT.length);
      return `  ${name}\n${text.replace(/^/gm, INDENT)}\n`;
    });
    return `\nSettings:\n${rows.join('')}\nThe value ${UNSET} takes back what was set.`;
  };
}

const INDENT = ' '.repeat(6);

function describe(name: SettingName, kind?: 'virtual nodes'): string {
  const { summary, takes, fallback, of, applies } = NODE_SETTINGS[name];
  return [
    `${summary}: ${takes}.`,
    ...(fallback === null ? [] : [`Default: ${fallback}.`]),
    ...(of === 'all nodes' || of === kind ? [] : [`Only ${of}.`]),
    ...(applies === 'at once' ? [] : [`Applies ${applies}.`]),
  ].join(' ');
}
