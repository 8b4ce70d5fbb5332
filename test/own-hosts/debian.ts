/** Machines of the test's as Debian's own programs see them. */
import type { Cluster } from './cluster.ts';

/** What `walt-server host add` may leave on a machine: files, programs that run, munge's key, packages. */
export async function traces(cluster: Cluster, host: string): Promise<string[]> {
  const lines = [
    'find /etc /var/lib/walt-host /usr/local /usr/share/walt-test /run/slurm /run/walt-slurm /run/walt-host /var/cache/walt-host | sort',
    'cat /proc/[0-9]*/comm | sort | uniq | grep -E "munged|slurm" || true',
    'stat -c "%n %a %U" /etc/munge/munge.key && sha256sum /etc/munge/munge.key',
    'dpkg --list slurmd munge nfs-ganesha | grep -E "^[a-z]{2} "',
  ];
  return await Promise.all(lines.map((line) => cluster.on(host, `{ ${line}; } 2>/dev/null || true`)));
}

/**
 * A machine without some of Debian's packages, whose only archive is a folder in which there are others of these names. Each has a file,
 * /usr/share/walt-test/NAME.
 */
export async function playMissingPackages(
  cluster: Cluster,
  host: string,
  names: readonly string[],
): Promise<void> {
  await cluster.on(
    host,
    `set -e
dpkg --purge --force-all ${names.join(' ')} 2>/dev/null
mkdir -p /mnt/archive
cd /mnt/archive
rm -rf /etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/mnt/archive ./' >/etc/apt/sources.list
for name in ${names.join(' ')}; do
  # Its postrm does not delete what it enabled.
  rm -rf /etc/systemd/system/$name* /etc/systemd/system/*/$name*
  control() { printf '%s\n' "Package: $name" 'Version: 9:1' 'Architecture: all' 'Maintainer: nobody <nobody@example.org>' 'Description: for a test'; }
  mkdir -p tree/DEBIAN tree/usr/share/walt-test
  echo here >"tree/usr/share/walt-test/$name"
  control >tree/DEBIAN/control
  dpkg-deb --build --root-owner-group tree "$name.deb"
  {
    control
    echo "Filename: ./$name.deb"
    echo "Size: $(stat -c %s "$name.deb")"
    echo "SHA256: $(sha256sum "$name.deb" | cut -d ' ' -f 1)"
    echo
  } >>Packages
  rm -rf tree
done
apt-get update`,
  );
}
