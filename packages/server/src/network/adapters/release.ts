import { fileExists, isExternalError, namespaceFile } from '../../platform/index.ts';
import type { Where } from '../ip.ts';
import { giveBack } from './carry-out.ts';
import { AdapterRecord } from './record.ts';

/**
 * From the host's side, before the namespace `inside` goes: what it has, the host gets back as it was. Answers what could not be given
 * back, and why.
 */
export async function releaseAdapters(inside: string, file: string, host?: Where): Promise<string[]> {
  const record = await AdapterRecord.open(file);
  const gone = !(await fileExists(namespaceFile(inside)));
  const failures: string[] = [];
  for (const taken of record.taken) {
    try {
      await giveBack(taken, { host, inside: gone ? null : inside, record });
    } catch (error) {
      if (!isExternalError(error)) throw error;
      failures.push(`${taken.name}: ${error.message}`);
    }
  }
  return failures;
}
