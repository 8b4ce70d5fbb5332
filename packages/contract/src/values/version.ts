/** Which contract a program speaks. Each side tells it in a header of each message. */

/** MINOR goes up with what is added, MAJOR when a program of before would no longer be understood. */
export const CONTRACT = { major: 1, minor: 1 } as const;

/** Its header, in requests and in answers: `1.1`. Who sends none is of 1.0. */
export const CONTRACT_HEADER = 'walt-contract';
export const CONTRACT_TEXT = `${CONTRACT.major}.${CONTRACT.minor}`;

export interface ContractVersion {
  major: number;
  minor: number;
}

/** What a header tells; undefined for what is no version. */
export function parseContract(header: unknown): ContractVersion | undefined {
  if (header === undefined) return { major: 1, minor: 0 };
  const match = /^(\d{1,4})\.(\d{1,4})$/.exec(typeof header === 'string' ? header : '');
  return match ? { major: Number(match[1]), minor: Number(match[2]) } : undefined;
}

/** Which side of a conversation is the older one; `same`: both know the same. */
export function olderSide(client: ContractVersion, server: ContractVersion): 'client' | 'server' | 'same' {
  const difference = client.major - server.major || client.minor - server.minor;
  if (difference === 0) return 'same';
  return difference < 0 ? 'client' : 'server';
}
