/** Nodes that were ordered to boot, and do not listen. */
import { conjugate, nameList } from '../terminal/human.ts';
import { remark } from '../terminal/output.ts';

/** Tells what must be done by hand; nothing when all listen. */
export function tellUnheard(nodes: readonly string[]): void {
  if (nodes.length === 0) return;
  const [answers, boots] = [conjugate(nodes, 'does', 'do'), conjugate(nodes, 'it boots', 'they boot')];
  const them = conjugate(nodes, 'it', 'them');
  remark(
    `${nameList(nodes)} ${answers} not answer, and nobody has the power of ${them}: ` +
      `${boots} when somebody switches ${them} off and on. See \`walt help show power\`.`,
  );
}

/** Those that listen, or are switched. */
export function heard(nodes: readonly string[], unheard: readonly string[]): string[] {
  return nodes.filter((name) => !unheard.includes(name));
}
