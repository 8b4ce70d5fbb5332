/** The subject of a sentence about nodes: `a is`, `a and b are`, `7 nodes are`. */
export function nameList(nodes: readonly { name: string }[]): string {
  const names = nodes.map((node) => node.name);
  if (names.length > 5) return `${names.length} nodes are`;
  if (names.length === 1) return `${names[0]} is`;
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)} are`;
}
