/**
 * Paths that differ between two nodes of one image because each is itself (name, address, keys), or because it runs: what its
 * services write while they start.
 */
const OWN = [
  './etc/hostname',
  './etc/hosts',
  './etc/resolv.conf',
  './etc/machine-id',
  './etc/walt',
  './etc/*/00-walt.*',
  './etc/*/*/00-walt.*',
  './etc/ssh/ssh_host_*',
  './etc/adjtime',
  './etc/.updated',
  './var',
  './root',
  './tmp',
  './run',
];

const skipOwn = OWN.map((path) => `-path '${path}' -prune -o`).join(' ');

/**
 * A line of shell that prints a node's root file system: name, type, mode, owner, size, time, link target of each entry, and a
 * checksum of each file that is a program or a setting. Times of folders change when a neighbour in OWN is written.
 */
export const TREE_LISTING = [
  'cd /',
  `find . -xdev ${skipOwn} \\( -type d -printf '%p d %m %U:%G\\n' -o -printf '%p %y %m %U:%G %s %T@ %l\\n' \\) | sort`,
  `find ./etc ./usr/bin ./usr/sbin -xdev ${skipOwn} -type f -print0 | sort -z | xargs -0 md5sum`,
].join(' && ');
