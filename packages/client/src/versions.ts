/** What is told when client and server are not of one version: who must be upgraded. */
import { CONTRACT, CONTRACT_TEXT, olderSide, parseContract } from '@walt/contract/values/version';
import { AbortError } from './errors.ts';

/** When a server's header tells another major version, or none at all. */
export function otherMajor(header: unknown, server: string): AbortError | undefined {
  const told = parseContract(header);
  if (told?.major === CONTRACT.major) return undefined;
  const whose = told ? `speaks version ${told.major}.${told.minor}` : 'tells no version that there is';
  const older = told && olderSide(CONTRACT, told);
  return new AbortError(
    'VERSION',
    `This walt and the server at ${server} are too far apart: it speaks version ${CONTRACT_TEXT} of their contract, the server ${whose}.`,
    older === 'client'
      ? 'Upgrade walt on this machine.'
      : 'Ask the administrator of the server to upgrade it, or use an older walt.',
  );
}

/** For a call that the server does not know because it is older; undefined for another refusal. */
export function unknownCall(
  refusal: AbortError,
  { path, header }: { path: string; header: unknown },
): AbortError | undefined {
  const told = parseContract(header);
  const unknown = refusal.code === 'NOT_FOUND' && refusal.message.includes(JSON.stringify(path));
  if (!unknown || !told || olderSide(CONTRACT, told) !== 'server') return undefined;
  return new AbortError(
    'VERSION',
    `The server is older than this walt and does not know what was asked: it speaks version ${told.major}.${told.minor} of their contract, this walt ${CONTRACT_TEXT}.`,
    'Ask its administrator to upgrade it.',
  );
}
