/** An image as WalT's documentation describes them, of Debian's packages: kernel, initrd and boot scripts of its own. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../packages/server/src/platform/index.ts';

/** What makes an initrd. They are unpacked over the default image, which has all else that such an image needs. */
const PACKAGES = ['initramfs-tools', 'initramfs-tools-core', 'klibc-utils', 'libklibc', 'cpio', 'linux-base'];

const FILES: Record<string, string> = {
  'etc/initramfs-tools/conf.d/walt': 'MODULES=list\nBOOT=nfs\nCOMPRESS=gzip\n',
  'etc/initramfs-tools/modules': 'virtio_pci\nvirtio_net\nnfs\nnfsv3\n',
  'etc/walt/image.spec': `{
    # Files in which the server writes what differs from platform to platform.
    "templates": [
      "/etc/platform", # "quoted"
      "/boot/pc-x86-64/start-generic.ipxe",
    ]
  }\n`,
  'etc/platform': 'server=%(server_ip)s image=%(walt_image_id)s rest=100%%\n',
  // Of Debian's system, what this test asks for: systemd and the SSH server.
  'etc/systemd/system/default.target': '[Unit]\nDefaultDependencies=no\nRequires=ssh.service\n',
  'etc/systemd/system/ssh.service.d/early.conf': '[Unit]\nDefaultDependencies=no\n',
  'boot/pc-x86-64/start.ipxe': '#!ipxe\nset node_model pc-x86-64\nchain start-generic.ipxe\n',
  'boot/pc-x86-64/start-generic.ipxe': `#!ipxe
set nfs_root \${next-server}:/var/lib/walt/nodes/\${mac:hexhyp}/fs,ro,vers=3,nolock,nocto,acregmin=157680000,acregmax=157680000
set args root=/dev/nfs nfsroot=\${nfs_root} init=/bin/walt-init BOOTIF=01-\${mac:hexhyp} panic=15 net.ifnames=0
set args \${args} ip=\${ip}:%(server_ip)s:\${gateway}:\${netmask}:\${hostname}::off
kernel http://\${next-server}/boot/vmlinuz \${args} initrd=initrd console=ttyS0,115200 quiet from=\${node_model}
initrd initrd
boot
`,
};

/** Makes its tar from that of the default image, in `folder`. */
export async function makeWaltTar(defaultTar: string, folder: string): Promise<string> {
  const root = join(folder, 'walt-image');
  const packages = join(folder, 'packages');
  await mkdir(root);
  await mkdir(packages);
  // What takes long to read and no boot needs.
  const unneeded = ['./usr/share/perl', './usr/lib/x86_64-linux-gnu/perl*', './usr/share/zoneinfo'];
  const without = unneeded.map((path) => `--exclude=${path}`);
  await Promise.all([
    run(['tar', '-xf', defaultTar, ...without, '-C', root]),
    run(['apt-get', '-o', 'APT::Sandbox::User=root', 'download', ...PACKAGES], { cwd: packages }),
  ]);
  for (const name of await readdir(packages)) {
    const files = join(packages, `${name}.tar`);
    await run(['sh', '-c', 'dpkg-deb --fsys-tarfile "$1" >"$2"', 'sh', join(packages, name), files]);
    await run(['tar', '-xf', files, '--keep-directory-symlink', '-C', root]);
  }
  const boot = join(root, 'boot', 'pc-x86-64');
  await mkdir(boot);
  for (const [path, content] of Object.entries(FILES)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), content);
  }
  const [release = ''] = await readdir(join(root, 'usr/lib/modules'));
  await run(['ln', '-s', `../vmlinuz-${release}`, join(boot, 'vmlinuz')]);
  await run(['chroot', root, 'mkinitramfs', '-o', '/boot/pc-x86-64/initrd', release]);
  // What the machine's devices need is in the initrd now.
  await rm(join(root, 'usr/lib/modules', release, 'kernel', 'drivers'), { recursive: true });
  const tar = `${root}.tar`;
  await run(['tar', '--numeric-owner', '-C', root, '-cf', tar, '.']);
  return tar;
}
