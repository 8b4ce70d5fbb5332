/** Machines of the test's as Debian's own programs see them. */
import type { Cluster } from './cluster.ts';

/** What `walt-server host add` may leave on a machine: files, programs that run, munge's key, packages. */
export async function traces(cluster: Cluster, host: string): Promise<string[]> {
  const lines = [
    'find /etc /var/lib/walt-host /usr/local /usr/share/walt-test /run/slurm /run/walt-slurm | sort',
    'cat /proc/[0-9]*/comm | sort | uniq | grep -E "munged|slurm" || true',
    'stat -c "%n %a %U" /etc/munge/munge.key && sha256sum /etc/munge/munge.key',
    'dpkg --list slurmd munge u-boot-qemu | grep -E "^[a-z]{2} "',
  ];
  return await Promise.all(lines.map((line) => cluster.on(host, `{ ${line}; } 2>/dev/null || true`)));
}

/**
 * A machine without one of Debian's packages, whose only archive is a folder in which there is another one of that name. It has a file,
 * /usr/share/walt-test.
 */
export async function playMissingPackage(cluster: Cluster, host: string, name: string): Promise<void> {
  await cluster.on(
    host,
    `set -e
dpkg --purge --force-all ${name} 2>/dev/null
mkdir -p /mnt/archive/tree/DEBIAN /mnt/archive/tree/usr/share
cd /mnt/archive
echo here >tree/usr/share/walt-test
control() { printf '%s\\n' 'Package: ${name}' 'Version: 9:1' 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' 'Description: for a test'; }
control >tree/DEBIAN/control
dpkg-deb --build --root-owner-group tree package.deb
{
  control
  echo 'Filename: ./package.deb'
  echo "Size: $(stat -c %s package.deb)"
  echo "SHA256: $(sha256sum package.deb | cut -d ' ' -f 1)"
} >Packages
rm -rf tree /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/mnt/archive ./' >/etc/apt/sources.list`,
  );
}
