/** The client for systems without Debian packages, as npm installs it: the runtime is the one that npm runs on. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import packageFile from '../../package.json' with { type: 'json' };
import { copy, write } from './files.ts';

/** Answers the package's path. `client`: what stageClient has made. */
export function packNpm(what: { client: string; folder: string; target: string }): string {
  const { client, folder, target } = what;
  copy(client, folder);
  // The launcher, where ssh and the shells' completion look for it.
  write(join(folder, 'walt'), "#!/usr/bin/env node\nimport './dist/walt/main.js';\n", 0o755);
  const { version, license, engines } = packageFile;
  const description = 'Command line of the WalT platform for network experiments';
  const file = {
    name: 'walt-client',
    version,
    description,
    license,
    type: 'module',
    engines,
    os: ['!win32'],
    bin: { walt: 'walt' },
  };
  write(join(folder, 'package.json'), `${JSON.stringify(file, null, 2)}\n`);
  write(
    join(folder, 'README.md'),
    'The manual is in `docs/`, and `walt help show` reads it; `remote.md` tells how to begin.\n',
  );
  const words = ['pack', '--offline', '--silent', '--json', '--pack-destination', target];
  const [packed] = JSON.parse(execFileSync('npm', words, { cwd: folder, encoding: 'utf8' }));
  return join(target, packed.filename);
}
