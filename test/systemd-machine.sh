#!/bin/sh
# usage: systemd-machine.sh FOLDER
# Becomes a small machine that systemd runs: this machine's own Debian, of which nothing is written, with namespaces, devices and units of
# its own. Called in the namespaces that it is to have. FOLDER is seen as /mnt.
set -eu
folder=$1
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "$folder/disk" "$folder/root"
mount -t tmpfs -o mode=755 walt-machine "$folder/disk"
mkdir "$folder/disk/upper" "$folder/disk/work"
mount -t overlay -o "lowerdir=/,upperdir=$folder/disk/upper,workdir=$folder/disk/work" walt-machine "$folder/root"
cd "$folder/root"
mkdir -p mnt old
mount --bind "$folder" mnt

mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm dev/net
for name in null zero full random urandom tty fuse kvm loop-control net/tun; do
  [ ! -e "/dev/$name" ] || cp -a "/dev/$name" "dev/$name"
done
# A loop device that is made later would come to the machine's own /dev.
number=0
while [ "$number" -lt 256 ]; do mknod "dev/loop$number" b 7 "$number"; number=$((number + 1)); done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for place in run tmp var/tmp var/lib/walt var/cache/walt; do
  mkdir -p "$place"
  mount -t tmpfs -o mode=755 walt-machine "$place"
done
chmod 1777 tmp var/tmp

# Nothing of what this machine is set up for: who starts services, what of packages is left out, what is mounted, what is ours.
rm -rf etc/fstab etc/walt usr/sbin/policy-rc.d etc/dpkg/dpkg.cfg.d/*
rm -rf etc/systemd/system/* lib/systemd/system/sysinit.target.wants/* lib/systemd/system/local-fs.target.wants/*
rm -rf lib/systemd/system/basic.target.wants/* lib/systemd/system/multi-user.target.wants/* lib/systemd/system-generators/*
ln -s ../systemd-journald.service lib/systemd/system/sysinit.target.wants/

ip link set lo up
pivot_root . old
umount -l old
exec env -i container=walt PATH="$PATH" /lib/systemd/systemd --unit=multi-user.target </dev/null
