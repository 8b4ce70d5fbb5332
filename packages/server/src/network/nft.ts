import { attempt, ExternalError } from '../platform/index.ts';

/** Has nft(8) carry out all of these, or nothing. Throws ExternalError when it is missing, or when the kernel refuses. */
export async function nft(rules: string): Promise<void> {
  const argv = ['nft', '-f', '-'];
  const { status, stderr } = await attempt(argv, { input: rules });
  if (status !== 0) throw new ExternalError(argv, status, stderr);
}
