/** Machines that are no hosts, and words that name none. */
const H1 = 'ssh://root@198.18.0.11';
export const H3 = 'ssh://root@198.18.0.13';
/** In front of what Debian has. */
const fake = (program: string, script: string) =>
  `printf '#!/bin/sh\\n%s\\n' '${script}' >/usr/local/sbin/${program} && chmod 755 /usr/local/sbin/${program}`;
const unfake = (program: string) => `rm /usr/local/sbin/${program}`;

/** What it is called with, what is told; and how the machine h3 is changed for that, and back. */
export const notAdded: [what: string, words: string[], told: RegExp, change?: string, back?: string][] = [
  ['a name that is an option', ['--', '-h3', H3], /"-h3" is no name for a host/],
  ['a name of several hosts', ['h[3-4]', H3], /"h\[3-4\]" is no name for a host/],
  ['a place that is an option', ['h3', 'ssh://-oProxyCommand=x'], /is not where a host can be/],
  ['a word for what is found out', ['h3', H3, '--feature', 'kvm'], /say --kvm/],
  ['a word that is an option', ['h3', H3, '--feature', 'volumes'], /Say --volumes instead/],
  [
    'a host that runs nodes, for volumes only',
    ['h1', H1, '--volumes-only'],
    /The host h1 runs virtual nodes/,
  ],
  ['KVM without nodes', ['h3', H3, '--volumes-only', '--kvm'], /h3 is to keep volumes only/],
  [
    'no room for copies',
    ['h3', H3, '--volumes'],
    /h3: 1900 MiB are free on \/var\/cache for copies of volumes\.\s+→ .* 2048 MiB, of which 1024 stay free/,
    fake('df', 'echo; echo walt 9000 7100 1900 79% /var'),
    unfake('df'),
  ],
  [
    'a package that no archive has',
    ['h3', H3, '--volumes'],
    /h3: its package lists do not have curl\./,
    `${fake('dpkg-query', 'case "$*" in *" curl") ;; *) exec /usr/bin/dpkg-query "$@" ;; esac')} && ${fake('apt-cache', ':')}`,
    `${unfake('dpkg-query')} && ${unfake('apt-cache')}`,
  ],
  ['a machine that is not there', ['h3', `${H3}:9`], /h3: the connection to .* ended .*Connection refused/],
  [
    'a login that does not become root',
    ['h3', 'ssh://ann@198.18.0.13'],
    /h3: that login does not become root: .*sudo/,
    "useradd --password '*' ann",
    'userdel ann',
  ],
  ['a machine that is a host', ['h4', H1], /h4: that machine is the host h1 already/],
  ['a name that is taken', ['h1', H3], /h1: there is a host of that name, at ssh:\/\/root@198.18.0.11/],
  ['no KVM', ['h3', H3, '--kvm'], /h3: KVM does not work there: there is no \/dev\/kvm/],
  [
    'no Debian',
    ['h3', H3],
    /h3: it is no Debian \(fedora 41\)/,
    'mv /etc/os-release /etc/os && printf "ID=fedora\\nVERSION_ID=41\\n" >/etc/os-release',
    'mv /etc/os /etc/os-release',
  ],
  [
    'a Slurm of its own',
    ['h3', H3],
    /h3: it has a Slurm of its own: \/etc\/slurm\/slurm.conf/,
    ': >/etc/slurm/slurm.conf',
    'rm /etc/slurm/slurm.conf',
  ],
  [
    'a clock that is off',
    ['h3', H3],
    /h3: its clock is 9\d s behind this machine's/,
    fake('date', 'exec /bin/date --date "90 seconds ago" "$@"'),
    unfake('date'),
  ],
  [
    'a kernel without VXLAN',
    ['h3', H3],
    /h3: its kernel \(\S+\) makes no VXLAN devices/,
    fake('ip', 'case "$*" in *vxlan*) echo "Error: Unknown device type." ;; *) exec /sbin/ip "$@" ;; esac'),
    unfake('ip'),
  ],
  [
    'a munged that does not start',
    ['h3', H3],
    /h3: start failed: no luck/,
    fake('munged', 'echo no luck; exit 1'),
    unfake('munged'),
  ],
];
