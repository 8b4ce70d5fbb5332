/**
 * Bundles the server into `dist/server`: half the memory and half the start-up time of running the sources. A running server is
 * not disturbed: it has read all that it needs.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { leanMap } from './lean-map.ts';

/** `outdir`: `dist/server` of this repository, but for packages. */
export async function buildServer(outdir: string): Promise<void> {
  const { outputFiles } = await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: {
      main: 'src/main.ts',
      admin: 'src/admin.ts',
      'registry-gate': 'src/images/registry-gate/main.ts',
      exposed: 'src/network/exposed/main.ts',
      redfish: 'src/nodes/power/redfish/main.ts',
      logs: 'src/logs/program/main.ts',
      'sample-thread': 'src/platform/disks/sample-thread.ts',
      'query-thread': 'src/logs/program/queries/thread.ts',
    },
    outdir,
    bundle: true,
    format: 'esm',
    splitting: true,
    platform: 'node',
    target: 'node26',
    chunkNames: 'chunks/[name]-[hash]',
    sourcemap: 'linked',
    sourcesContent: false,
    // CommonJS packages (ws) ask for built-in modules at run time.
    banner: { js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);" },
    logLevel: 'warning',
    write: false,
  });

  await mkdir(join(outdir, 'chunks'), { recursive: true });
  for (const { path, text } of outputFiles)
    await writeFile(path, path.endsWith('.map') ? ownLines(text) : ofLatin1(text));
}

/** A map that knows lines of our own files. */
function ownLines(map: string): string {
  return JSON.stringify(leanMap(JSON.parse(map), (source) => !source.includes('node_modules/')));
}

/**
 * With escapes, which all that has such characters here takes: strings, regular expressions, and comments, where most of them are. V8
 * keeps a source in two bytes for each character where one of them is none of Latin-1: 3 MB more for the server.
 */
function ofLatin1(source: string): string {
  return source.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

if (import.meta.main) await buildServer(join(import.meta.dirname, '../../dist/server'));
