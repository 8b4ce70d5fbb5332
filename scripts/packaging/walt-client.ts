/** Package walt-client: the command line with its manual, and the JavaScript runtime, for the server, too. */
import { join } from 'node:path';
import { bashCompletion, zshCompletion } from '../../packages/cli/src/words/completion-scripts.ts';
import {
  copy,
  copyright,
  isTopic,
  link,
  listed,
  maintainerScripts,
  PLACE,
  packDebian,
  readList,
  strip,
  write,
  writeGzipped,
} from './files.ts';
import { clientPages } from './man-pages.ts';
import type { Runtime } from './runtimes.ts';

/** What is the same on every system: launcher aside, a folder that looks like the checkout. */
export async function stageClient(checkout: string, built: string, folder: string): Promise<string> {
  copy(join(built, 'dist/walt'), join(folder, 'dist/walt'));
  copy(join(checkout, 'docs'), join(folder, 'docs'), isTopic);
  copy(join(checkout, 'LICENSE'), join(folder, 'LICENSE'));
  return folder;
}

export interface Package {
  checkout: string;
  built: string;
  version: string;
  runtime: Runtime;
  /** Where it is staged. */
  folder: string;
  target: string;
}

export async function writeClientPackage(what: Package & { client: string }): Promise<string> {
  const { checkout, folder, runtime, version } = what;
  const place = join(folder, PLACE);
  copy(what.client, place, (path) => !path.endsWith('/LICENSE'));
  // Without it, Node would have to guess what kind of modules these are.
  write(join(place, 'package.json'), '{ "type": "module" }\n');
  copy(join(checkout, 'walt'), join(place, 'walt'));
  copy(runtime.file, join(place, runtime.program));
  strip(join(place, runtime.program));
  link(join(folder, 'usr/bin/walt'), '../lib/walt/walt');
  write(join(folder, 'usr/share/bash-completion/completions/walt'), bashCompletion());
  const zsh = `#compdef walt\n${zshCompletion()}_walt_complete "$@"\n`;
  write(join(folder, 'usr/share/zsh/vendor-completions/_walt'), zsh);
  for (const [name, text] of await clientPages())
    writeGzipped(join(folder, 'usr/share/man/man1', name), text);
  writeGzipped(join(folder, 'usr/share/doc/walt-client/changelog.Debian'), changelog('walt-client', version));
  write(join(folder, 'usr/share/doc/walt-client/copyright'), copyright(checkout));
  maintainerScripts(join(import.meta.dirname, 'walt-client'), folder, { VERSION: version });
  return packDebian(
    folder,
    {
      Package: 'walt-client',
      Version: version,
      Architecture: runtime.debian,
      // The runtime's: objdump -T tells these versions.
      Depends: [
        'libc6 (>= 2.28)',
        'libgcc-s1',
        'libstdc++6 (>= 10)',
        ...listed(readList(checkout), 'client'),
      ].join(', '),
      Section: 'net',
      Description: `command line of the WalT platform for network experiments
 WalT boots nodes over the network with the operating system that you chose, so
 that experiments can be repeated. This is the client, for a server of this
 machine or for one elsewhere, which it reaches by ssh.`,
    },
    what.target,
  );
}

/** Debian's tools read the version in it; what has changed, the history of the sources tells. */
export function changelog(name: string, version: string): string {
  const date = new Date().toUTCString().replace('GMT', '+0000');
  return `${name} (${version}) unstable; urgency=medium\n\n  * Built from the sources.\n\n -- WalT <walt@localhost>  ${date}\n`;
}
