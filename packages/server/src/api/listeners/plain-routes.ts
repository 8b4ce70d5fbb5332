import { plain } from '@walt/contract';
import type { Services } from '../services.ts';
import { type PlainQuestion, serveImageFiles } from './image-files.ts';
import { serveLogImport, serveLogLines } from './log-lines.ts';

type Serve = (question: PlainQuestion) => Promise<void>;

/** What answers each plain endpoint of the contract, by path. */
export function plainRoutes(services: Services): ReadonlyMap<string, Serve> {
  const serve: { [Name in keyof typeof plain]: Serve } = {
    imageFiles: (question) => serveImageFiles(services, question),
    logLines: (question) => serveLogLines(services, question),
    logImport: (question) => serveLogImport(services, question),
  };
  return new Map(Object.entries(plain).map(([name, { path }]) => [path, serve[name as keyof typeof plain]]));
}
