/** Start of the program. Kept small: it is compiled anew each time, all the rest comes from the compile cache. */
import { cacheFolder } from '@walt/client/paths';

process.getBuiltinModule('node:module').enableCompileCache(`${cacheFolder()}/compiled`);
// `walt node show | head`: nobody reads on, so there is nothing more to do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
const { main } = await import('./cli.ts');
await main(process.argv.slice(2));
