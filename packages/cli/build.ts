/**
 * Bundles the client into `dist/walt`: one small entry, and chunks of which a command loads only those that it needs. Takes
 * half a second. A running `walt` is not disturbed: the new folder takes the old one's place as a whole.
 */
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const SOURCES = import.meta.dirname;
const REPOSITORY = join(SOURCES, '../..');

/**
 * In front of each chunk. ws asks at run time for packages that may be missing. oRPC asks of every answer whether it is a FormData,
 * and the mere mention of the global one loads Node's fetch implementation (25 ms): no call of ours carries a form.
 */
const BANNER =
  "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url); class FormData {}";

/** `checkout` gets the folder `dist/walt`; it is this repository but in tests. */
export async function buildClient(checkout: string): Promise<void> {
  const target = join(checkout, 'dist/walt');
  const fresh = `${target}.new-${process.pid}`;
  const old = `${target}.old-${process.pid}`;
  try {
    mkdirSync(fresh, { recursive: true });
    await bundle(fresh);
    moveIfPresent(target, old);
    renameSync(fresh, target);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

async function bundle(folder: string): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8'));
  await build({
    absWorkingDir: SOURCES,
    entryPoints: { main: 'src/main.ts' },
    outdir: folder,
    bundle: true,
    format: 'esm',
    splitting: true,
    platform: 'node',
    target: 'node26',
    chunkNames: 'chunks/[name]-[hash]',
    define: { WALT_VERSION: JSON.stringify(version) },
    banner: { js: BANNER },
    plugins: [common, builtins],
    logLevel: 'warning',
  });
}

/**
 * Built-in modules without what an ES import of one costs: it copies all exports, and some of these are made when they are first
 * looked at and load half of Node (streams for node:fs, MIME types for node:util, fetch for node:http: 10 to 25 ms each). Here each
 * name is an export of its own, which esbuild drops where nobody imports it. Commander wants node:child_process for a feature of
 * its own that we do not use; ws wants three more for TLS and compression, which a Unix socket needs neither of: they are loaded
 * when something of them is asked for.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^(node:)?[a-z_/]+$/ }, ({ path, importer, kind }) => {
      if (!isBuiltin(path)) return undefined;
      const name = path.replace(/^node:/, '');
      if (name === 'child_process' && importer.includes('/node_modules/commander/'))
        return { path: name, namespace: 'unused' };
      if (['https', 'tls', 'zlib'].includes(name) && importer.includes('/node_modules/ws/'))
        return { path: name, namespace: 'delayed' };
      return { path: name, namespace: kind === 'require-call' ? 'required' : 'imported' };
    });
    const ask = (name: string) => `process.getBuiltinModule(${JSON.stringify(`node:${name}`)})`;
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'export default {};' }));
    onLoad({ filter: /.*/, namespace: 'delayed' }, ({ path }) => ({
      contents: `module.exports = new Proxy({}, { get: (_, key) => ${ask(path)}[key] });`,
    }));
    onLoad({ filter: /.*/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = ${ask(path)};`,
    }));
    onLoad({ filter: /.*/, namespace: 'imported' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter((name) => /^\w+$/.test(name));
      const exported = names.map((name) => `export const ${name} = /* @__PURE__ */ (() => all.${name})();`);
      return { contents: [`const all = ${ask(path)};`, 'export default all;', ...exported].join('\n') };
    });
  },
};

/**
 * Each chunk costs 0.3 ms at the start. esbuild makes one of the files that the same set of commands shares, so that what all of them
 * share is one, and what 70 of 76 share are dozens. With this, whatever is loaded when it is asked for begins with `src/common.ts`.
 */
const common: Plugin = {
  name: 'common',
  setup: ({ onResolve, onLoad }) => {
    const loadedLater = new Set<string>();
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir, kind }) => {
      if (kind === 'dynamic-import' && path !== './cli.ts') loadedLater.add(join(resolveDir, path));
      return undefined;
    });
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!loadedLater.has(path)) return undefined;
      const file = JSON.stringify(join(SOURCES, 'src/common.ts'));
      return { contents: `import ${file};\n${readFileSync(path, 'utf8')}`, loader: 'ts' };
    });
  },
};

function moveIfPresent(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

if (import.meta.main) await buildClient(REPOSITORY);
