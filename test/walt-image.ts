/** An image as WalT's documentation describes them, of Debian's packages: kernel, initrd and boot scripts of its own. */
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../packages/server/src/platform/index.ts';

/** What makes an initrd. They are unpacked over the default image, which has all else that such an image needs. */
const PACKAGES = ['initramfs-tools', 'initramfs-tools-core', 'klibc-utils', 'libklibc', 'cpio', 'linux-base'];

/** What virtual nodes of WalT say of themselves. */
const PRODUCT = 'QEMU/Standard PC (i440FX + PIIX, 1996)';

/** Laid out as WalT's own recipe for PCs lays out `/boot`; the scripts say the same in fewer words. */
const FILES: Record<string, string> = {
  'etc/initramfs-tools/conf.d/walt': 'MODULES=list\nBOOT=nfs\nCOMPRESS=gzip\n',
  'etc/initramfs-tools/modules': 'virtio_pci\nvirtio_net\nnfs\nnfsv3\n',
  'etc/walt/image.spec': `{
    # Files in which the server writes what differs from platform to platform.
    "templates": [
      "/etc/platform", # "quoted"
      "/boot/common-ipxe/server-params.ipxe",
    ]
  }\n`,
  'etc/platform': 'server=%(server_ip)s image=%(walt_image_id)s rest=100%%\n',
  // Of Debian's system, what this test asks for: systemd and the SSH server.
  'etc/systemd/system/default.target': '[Unit]\nDefaultDependencies=no\nRequires=ssh.service\n',
  'etc/systemd/system/ssh.service.d/early.conf': '[Unit]\nDefaultDependencies=no\n',
  // What its scripts call, as those of published images do.
  'usr/bin/on-bootup': `#!/bin/sh
. walt-env
/bin/walt-report-lldp-neighbor 00:1b:21:0a:0b:0c gi3 || echo "not told"
echo "$walt_server_ip $walt_image_id $walt_boot_mode" > /root/bootup
`,
  'boot/pc-x86-64/start.ipxe': '#!ipxe\nset node_model pc-x86-64\nchain /start-generic.ipxe\n',
  'boot/common-ipxe/server-params.ipxe': '#!ipxe\nset server_mac %(server_mac)s\n',
  'boot/common-ipxe/start-generic-nfs3.ipxe': `#!ipxe
set nfs_root \${next-server}:/var/lib/walt/nodes/\${mac}/fs
set fs_args root=/dev/nfs nfsroot=\${nfs_root},ro,vers=3,nolock,nocto,acregmin=157680000,acregmax=157680000
set urlprefix http://\${next-server}/boot
chain \${urlprefix}/start-generic-2.ipxe ||
echo http failed, so tftp
set urlprefix
chain \${urlprefix}/start-generic-2.ipxe
`,
  'boot/common-ipxe/start-generic-2.ipxe': `#!ipxe
set additional_args
chain \${urlprefix}/server-params.ipxe && imgfree server-params.ipxe ||
chain \${urlprefix}/boot-params.ipxe && imgfree boot-params.ipxe ||
chain \${urlprefix}/\${manufacturer}/\${product}/boot-params.ipxe && imgfree boot-params.ipxe ||
set ip_args ip=\${ip}:\${next-server}:\${gateway}:\${netmask}:\${hostname}::off BOOTIF=01-\${mac:hexhyp}
set args \${fs_args} \${ip_args} init=/bin/walt-init panic=15 net.ifnames=0 from=\${node_model} server=\${server_mac}
initrd \${urlprefix}/initrd || echo no initrd
kernel \${urlprefix}/kernel initrd=initrd \${args} \${additional_args} || reboot
boot
`,
  [`boot/common-pc/${PRODUCT}/boot-params.ipxe`]: '#!ipxe\nset additional_args console=ttyS0\n',
};

/** Kernel and initrd are found by a chain of links, as Debian's packages leave it. */
const LINKS: Record<string, string> = {
  'boot/common-ipxe/start-generic.ipxe': 'start-generic-nfs3.ipxe',
  'boot/common-pc/kernel': '../../vmlinuz',
  'boot/common-pc/initrd': '../../initrd.img',
  ...Object.fromEntries(
    ['kernel', 'initrd', 'QEMU'].map((name) => [`boot/pc-x86-64/${name}`, `../common-pc/${name}`]),
  ),
  ...Object.fromEntries(
    ['start-generic.ipxe', 'start-generic-2.ipxe', 'server-params.ipxe'].map((name) => [
      `boot/pc-x86-64/${name}`,
      `../common-ipxe/${name}`,
    ]),
  ),
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
  for (const [path, content] of Object.entries(FILES)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), content, { mode: path.startsWith('usr/bin/') ? 0o755 : 0o644 });
  }
  const releases = await readdir(join(root, 'usr/lib/modules'));
  const release = releases.find((name) => name.includes('cloud')) ?? releases[0] ?? '';
  const links = { ...LINKS, vmlinuz: `boot/vmlinuz-${release}`, 'initrd.img': `boot/initrd.img-${release}` };
  for (const [path, target] of Object.entries(links)) {
    await rm(join(root, path), { force: true });
    await symlink(target, join(root, path));
  }
  await run(['chroot', root, 'mkinitramfs', '-o', `/boot/initrd.img-${release}`, release]);
  // What the machine's devices need is in the initrd now.
  await rm(join(root, 'usr/lib/modules', release, 'kernel', 'drivers'), { recursive: true });
  const tar = `${root}.tar`;
  await run(['tar', '--numeric-owner', '-C', root, '-cf', tar, '.']);
  return tar;
}
