import { plain } from '@walt/contract';
import { plainRoles } from '../../access/index.ts';
import { audited } from '../audit.ts';
import { namingDiskUsers } from '../disk-users.ts';
import type { Services } from '../services.ts';
import { type PlainQuestion, serveImageFiles } from './image-files.ts';
import { serveLogImport, serveLogLines } from './log-lines.ts';

type Name = keyof typeof plain;
type Serve = (services: Services, question: PlainQuestion) => Promise<void>;

/** What answers each plain endpoint of the contract, by path. */
export function plainRoutes(
  services: Services,
): ReadonlyMap<string, (question: Omit<PlainQuestion, 'caller'>) => Promise<void>> {
  const routes: Record<Name, Serve> = {
    imageFiles: serveImageFiles,
    logLines: serveLogLines,
    logImport: serveLogImport,
  };
  return new Map(
    (Object.keys(routes) as Name[]).map((name) => [
      plain[name].path,
      async (question) => {
        const { context, request } = question;
        const caller = await services.identity.caller(context.token);
        context.enter(caller.user);
        const { searchParams } = question.url;
        const deed = {
          ...{ name: `${request.method} ${name}`, least: plainRoles[name](request.method) },
          input: Object.fromEntries(searchParams),
          origin: () => context.origin(caller),
        };
        // What is followed has no end: it ends with the right to it. What still runs then ends with the connection.
        const served = async () => ({
          output: await services.rights.whileHeld(
            () => services.identity.requireUser(caller),
            () => routes[name](services, { ...question, caller }),
          ),
        });
        await audited(services.audit, caller, deed, () => namingDiskUsers(services, caller, served));
      },
    ]),
  );
}
