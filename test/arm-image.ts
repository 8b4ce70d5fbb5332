/** An image for ARM boards as WalT's documentation describes them: boot script, kernel and initrd of its own. */
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpioArchive } from '../packages/server/src/boot/initramfs/cpio.ts';
import { loadOrder, parseModuleIndex } from '../packages/server/src/boot/kernel/modules.ts';
import { run } from '../packages/server/src/platform/index.ts';
import type { Client } from './client.ts';

/** The tree by NFSv3, as the loader's variables and the server's address say. */
const START = `setenv root \${serverip}:/var/lib/walt/nodes/\${ethaddr}/fs,ro,vers=3,nolock,nocto
setenv address ip=\${ipaddr}:\${serverip}:\${gatewayip}:\${netmask}:\${hostname}::off
setenv bootargs root=/dev/nfs nfsroot=\${root} init=/bin/walt-init \${address} panic=15 net.ifnames=0 console=ttyAMA0 quiet from=\${model}
tftpboot \${kernel_addr_r} Image
tftpboot \${ramdisk_addr_r} initrd
booti \${kernel_addr_r} \${ramdisk_addr_r}:\${filesize} \${fdt_addr}
`;

/** First process of the initrd: what the kernel line says, and no more. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
for word in $(cat /proc/cmdline); do
  case $word in
    ip=*) address=\${word#ip=} ;;
    nfsroot=*) root=\${word#nfsroot=} ;;
    init=*) init=\${word#init=} ;;
  esac
done
IFS=: read -r own server gateway mask rest <<EOT
$address
EOT
ifconfig eth0 "$own" netmask "$mask" up
mount -t nfs -o "\${root#*,},proto=tcp,mountproto=tcp,addr=$server" "\${root%%,*}" /root
exec switch_root /root "$init"
`;

const WANTED = ['virtio_mmio', 'virtio_net', 'nfsv3'];

/** Writes its Dockerfile and files to `folder`, made of what the image `base` has. */
export async function writeArmSources(
  client: Client,
  base: string,
  kernel: string,
  folder: string,
): Promise<void> {
  const boot = join(folder, 'boot');
  await mkdir(boot, { recursive: true });
  await client.ok('image', 'cp', `${base}:/usr/lib/modules/${kernel}`, join(folder, 'modules'));
  await client.ok('image', 'cp', `${base}:/usr/bin/busybox`, join(folder, 'busybox'));
  await writeFile(join(boot, 'initrd'), await makeInitrd(folder));
  await writeFile(join(folder, 'start.txt'), START);
  const names = ['-A', 'arm64', '-T', 'script', '-C', 'none'];
  await run(['mkimage', ...names, '-d', join(folder, 'start.txt'), join(boot, 'start.uboot')]);
  await symlink(`../vmlinuz-${kernel}`, join(boot, 'Image'));
  await writeFile(join(folder, 'image.spec'), '{ "templates": ["/etc/platform"] }\n');
  await writeFile(join(folder, 'platform'), 'server=%(server_ip)s\n');
  await writeFile(join(folder, '.dockerignore'), 'modules\nbusybox\nstart.txt\n');
  const lines = [
    `FROM ${base}`,
    'LABEL walt.node.models=qemu-arm64',
    'COPY boot /boot/qemu-arm64',
    'COPY image.spec /etc/walt/image.spec',
    'COPY platform /etc/platform',
  ];
  await writeFile(join(folder, 'Dockerfile'), `${lines.join('\n')}\n`);
}

async function makeInitrd(folder: string): Promise<Buffer> {
  const read = (name: string) => readFile(join(folder, 'modules', name), 'utf8');
  const index = parseModuleIndex({ dep: await read('modules.dep'), builtin: await read('modules.builtin') });
  const order = loadOrder(index, WANTED);
  const modules = order.flatMap((name) => {
    const file = index.files.get(name);
    return file ? [{ name, path: join(folder, 'modules', file.path) }] : [];
  });
  const file = (path: string, content: Uint8Array | string, mode = 0o755) =>
    ({ path, type: 'file', mode, content: Buffer.from(content) }) as const;
  return cpioArchive([
    ...['bin', 'dev', 'proc', 'root', 'modules'].map(
      (path) => ({ path, type: 'folder', mode: 0o755 }) as const,
    ),
    { path: 'dev/console', type: 'device', mode: 0o600, major: 5, minor: 1 },
    file('bin/busybox', await readFile(join(folder, 'busybox'))),
    file('init', INIT),
    file('modules/order', modules.map(({ name }) => name).join(' '), 0o644),
    ...(await Promise.all(
      modules.map(async ({ name, path }) => file(`modules/${name}.ko`, await readFile(path), 0o644)),
    )),
  ]);
}

/** Writes the sources of an image that is one program, of another image, and no more. */
export async function writeTinySources(client: Client, base: string, folder: string): Promise<void> {
  const busybox = join(folder, 'busybox');
  await mkdir(folder, { recursive: true });
  await client.ok('image', 'cp', `${base}:/usr/bin/busybox`, busybox);
  await writeTinySourcesOf(busybox, folder);
}

/** The same of a program that is a file here. */
export async function writeTinySourcesOf(busybox: string, folder: string): Promise<void> {
  await mkdir(join(folder, 'bin'), { recursive: true });
  await copyFile(busybox, join(folder, 'bin', 'busybox'));
  await symlink('busybox', join(folder, 'bin', 'sh'));
  await writeFile(
    join(folder, 'Dockerfile'),
    'FROM scratch\nCOPY bin /bin\nCMD ["/bin/sh", "-c", "uname -m >/tmp/ran"]\n',
  );
}
