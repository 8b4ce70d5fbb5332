/** Slurm.conf(5) of a cluster of our own. Hosts get it from the controller ("configless"). Pure. */

/** What hosts of a cluster may be at most; the controller makes room for so many. */
const MAX_HOSTS = 512;
/** Seconds after which a host that is not heard counts as dead. */
const HOST_TIMEOUT = 6;

/** On hosts: all that `walt-server host add` makes there, and what slurmd works with. */
export const HOST_FOLDER = '/var/lib/walt-host';

/** On the server's machine and on hosts: sockets and process numbers of one platform's cluster. */
export function clusterRun(platform: string): string {
  return `/run/walt-slurm/${platform}`;
}

/** munge's socket, there and here. slurm.conf has but one word for it. */
export function mungeSocket(platform: string): string {
  return `${clusterRun(platform)}/munge`;
}

/**
 * Cgroup.conf(5), which hosts get as well. Nothing here uses control groups, and with this plugin slurmd does not even look for them: the
 * one for version 2 asks systemd for a scope by D-Bus, and ends where there is none, or where version 1 is there, too.
 */
export const CGROUP_CONF = 'CgroupPlugin=cgroup/v1\n';

export interface ClusterPlace {
  /** Tells platforms apart. */
  platform: string;
  /** Of the server's machine. */
  address: string;
  partition: string;
  /** What the controller keeps. */
  state: string;
}

/**
 * The controller binds to the address to which gethostname(2) resolves, and compares the first part of that name with its own here: it is
 * started where the machine's name is the address.
 */
export function renderSlurmConf({ platform, address, partition, state }: ClusterPlace): string {
  const [name] = address.split('.');
  return `ClusterName=walt-${platform}
SlurmctldHost=${name}(${address})
CommunicationParameters=NoCtldInAddrAny
SlurmUser=root
SlurmctldParameters=enable_configless
AuthInfo=socket=${mungeSocket(platform)},cred_expire=10
StateSaveLocation=${state}
SlurmctldPidFile=${clusterRun(platform)}/slurmctld.pid
SlurmdPidFile=${clusterRun(platform)}/slurmd.pid
SlurmdSpoolDir=${HOST_FOLDER}/spool
MaxNodeCount=${MAX_HOSTS}
# Hosts know no addresses of others.
TreeWidth=65533
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory,CR_LLN
SlurmdTimeout=${HOST_TIMEOUT}
MessageTimeout=5
TCPTimeout=2
ReturnToService=2
SlurmdParameters=config_overrides
PartitionName=${partition} Nodes=ALL Default=YES State=UP MaxTime=INFINITE OverSubscribe=FORCE:64
`;
}
