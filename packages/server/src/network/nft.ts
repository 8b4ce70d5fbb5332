import { attempt, ExternalError } from '../platform/index.ts';

/** Has nft(8) carry out all of these, or nothing; in the namespace of that file, or in ours. Throws ExternalError when it is missing, or when the kernel refuses. */
export async function nft(rules: string, namespace?: string): Promise<void> {
  const enter = namespace === undefined ? [] : ['nsenter', `--net=${namespace}`, '--'];
  const argv = [...enter, 'nft', '-f', '-'];
  const { status, stderr } = await attempt(argv, { input: rules });
  if (status !== 0) throw new ExternalError(argv, status, stderr);
}
