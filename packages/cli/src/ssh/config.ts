/** Renders ssh_config(5) text. No check of ssh's is ever switched off: the server signs both sides' keys. */
import { AbortError } from '@walt/client/errors';
import { HOST_SUFFIX, type SshFiles } from './files.ts';

export interface Walt {
  /** Absolute path of the launcher. */
  launcher: string;
  /** `NAME=VALUE` that tells it which server is meant. */
  environment: readonly string[];
}

/** The file that walt's own calls of ssh and scp use instead of the user's and the system's. */
export function renderOwnConfig(files: SshFiles, walt: Walt): string {
  return (
    '# Made by walt for its own calls of ssh; `walt ssh-config` prints one for yours.\n' +
    `Include ${quoted(`${files.nodes}/*.conf`)}\n` +
    `Host *\n${renderOptions(files, walt)}  SendEnv LANG LC_*\n` +
    // It takes six times the rest of the handshake, for traffic on a cable that carries NFS in the clear (decision 0089).
    '  KexAlgorithms -sntrup761*\n'
  );
}

/** What is particular to one node. */
export function renderNodeConfig(node: string, hostKeyAlias: string, certificate: string): string {
  return `Host ${node} ${node}${HOST_SUFFIX}\n  HostKeyAlias ${hostKeyAlias}\n  CertificateFile ${quoted(certificate)}\n`;
}

/** The stanza for the user's own configuration. `nodes` are named, so that programs can offer them. */
export function renderStanza(nodes: readonly string[], files: SshFiles, walt: Walt): string {
  const hosts = [...nodes, `*${HOST_SUFFIX}`];
  return `# WalT nodes for ssh, scp, rsync, VS Code Remote, Ansible...
#
# Keep it in a file of its own: \`walt ssh-config > ~/.ssh/walt.conf\`, and write as the very first line of ~/.ssh/config:
#
#   Include walt.conf
#
# Then \`ssh NODE\` just works. NODE${HOST_SUFFIX} also works for nodes that are newer than this file.
Host ${hosts.join(' ')}
${renderOptions(files, walt)}
# Asks the server for a certificate of some minutes, whenever a node is called.
Match originalhost ${hosts.join(',')} exec "${inQuotes(waltCommand(walt))} ssh-cert '%n'"
  Include ${quoted(`${files.nodes}/*.conf`)}
`;
}

function renderOptions(files: SshFiles, walt: Walt): string {
  const options = [
    'User root',
    `ProxyCommand ${proxyCommand(walt)}`,
    `IdentityFile ${quoted(files.privateKey)}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${quoted(files.knownHosts)}`,
    'StrictHostKeyChecking yes',
    'UpdateHostKeys no',
    // Only the certificate can open the door: a question for a password would lead nowhere.
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'ServerAliveInterval 15',
    'ServerAliveCountMax 4',
    'LogLevel ERROR',
  ];
  return options.map((option) => `  ${option}\n`).join('');
}

/** What ssh runs in place of a connection of its own. */
export function proxyCommand(walt: Walt): string {
  return `${waltCommand(walt)} ssh-proxy '%n'`;
}

/** Shell words that start walt; ssh hands them to the user's shell after it has replaced `%` tokens. */
function waltCommand({ launcher, environment }: Walt): string {
  const words = environment.length === 0 ? [launcher] : ['env', ...environment, launcher];
  return words.map((word) => shellWord(word).replaceAll('%', '%%')).join(' ');
}

/** Any text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_/.:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A path as one argument of ssh_config(5), its `%` not taken for tokens. */
export function quoted(path: string): string {
  return `"${inQuotes(path.replaceAll('%', '%%'))}"`;
}

/** ssh_config(5) knows no way to write a double quote between double quotes. */
function inQuotes(text: string): string {
  if (!/["\n]/.test(text)) return text;
  throw new AbortError(
    'INVALID',
    `OpenSSH cannot use the path ${JSON.stringify(text)}: it contains a double quote or a newline.`,
    'Move WalT, or your configuration folder, to another path.',
  );
}
