/** Package walt-server: the server with all that it serves to nodes, its service, and its scripts beside this file. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { renderUnit } from '../../packages/server/src/service-unit.ts';
import {
  copy,
  copyright,
  link,
  listed,
  maintainerScripts,
  PLACE,
  packDebian,
  readList,
  write,
  writeGzipped,
} from './files.ts';
import { serverPage } from './man-pages.ts';
import { changelog, type Package } from './walt-client.ts';

export function writeServerPackage(what: Package): string {
  const { checkout, built, folder, version, runtime } = what;
  const place = join(folder, PLACE);
  const list = readList(checkout);
  copy(join(checkout, 'walt-server'), join(place, 'walt-server'));
  copy(join(built, 'dist/server'), join(place, 'dist/server'));
  copy(join(checkout, 'images'), join(place, 'images'));
  copy(join(checkout, 'packages/node'), join(place, 'packages/node'), (path) => !path.endsWith('.ts'));
  // Of the sources, scripts are what runs as it is.
  for (const script of globSync('packages/server/**/*.sh', { cwd: checkout }))
    copy(join(checkout, script), join(place, script));
  link(join(folder, 'usr/sbin/walt-server'), '../lib/walt/walt-server');
  write(join(folder, 'usr/lib/systemd/system/walt-server.service'), renderUnit(`/${PLACE}`, null));
  writeGzipped(
    join(folder, 'usr/share/man/man8/walt-server.8'),
    serverPage(join(place, 'dist/server/admin.js')),
  );
  writeGzipped(join(folder, 'usr/share/doc/walt-server/changelog.Debian'), changelog('walt-server', version));
  write(join(folder, 'usr/share/doc/walt-server/copyright'), copyright(checkout));
  const ofPcs = runtime.debian === 'amd64' ? listed(list, 'amd64') : [];
  // A machine that installs one of the others, which our tests need, wants its service.
  const needed = listed(list);
  const masked = listed(list, 'masked').filter((pair) => needed.includes(pair.split(':')[0] ?? ''));
  const words = { VERSION: version, MASKED: masked.join(' ') };
  maintainerScripts(join(import.meta.dirname, 'walt-server'), folder, words);
  return packDebian(
    folder,
    {
      Package: 'walt-server',
      Version: version,
      Architecture: runtime.debian,
      Depends: [`walt-client (= ${version})`, ...listed(list), ...ofPcs].join(', '),
      Section: 'net',
      Description: `server of the WalT platform for network experiments
 WalT boots nodes over the network with the operating system that you chose, so
 that experiments can be repeated. This is the server, as a service of systemd:
 it makes and keeps images, answers DHCP, TFTP, HTTP and NFS in a network
 namespace of its own, and runs virtual nodes.`,
    },
    what.target,
  );
}
