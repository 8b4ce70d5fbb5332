#!/bin/sh
# usage: host.sh NAME FOLDER
# Switches a machine on: this machine's own Debian, of which nothing is written, with a disk of its own in FOLDER/disk that lasts. Called in
# the namespaces that it is to have, its network among them. No systemd runs there: what its packages left in /etc/init.d is started.
# Its sshd lets in whoever has the key FOLDER/../key, whatever the login; joe may use sudo. FOLDER is seen as /mnt. It has no KVM.
set -eu
name=$1 folder=$2
PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "$folder/disk/upper" "$folder/disk/work" "$folder/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/disk/upper,workdir=$folder/disk/work" walt-host "$folder/root"
cd "$folder/root"
mkdir -p mnt old
mount --bind "$folder" mnt
mount -t proc proc proc
mount --rbind /sys sys
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/net dev/shm
for device in null zero full random urandom tty loop-control net/tun; do cp -a "/dev/$device" "dev/$device"; done
# A loop device that is made later would come to the machine's own /dev.
number=0
while [ "$number" -lt 256 ]; do mknod "dev/loop$number" b 7 "$number"; number=$((number + 1)); done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for place in run tmp var/tmp var/cache/walt; do
  mkdir -p "$place"
  mount -t tmpfs -o mode=755 walt-host "$place"
done
chmod 1777 tmp var/tmp
mkdir run/sshd
cp "$folder/../key.pub" run/sshd/keys
hostname "$name"
pivot_root . old
umount -l old
id joe >/dev/null 2>&1 || useradd --create-home --password '*' joe
echo 'joe ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/joe
for program in /etc/init.d/walt-*; do [ ! -x "$program" ] || "$program" start; done
exec /usr/sbin/sshd -D -f none -h /mnt/host_key -o UsePAM=no -o PidFile=none -o AuthorizedKeysFile=/run/sshd/keys
