/** Whether KVM works on a host: the server's own test, as a line of shell. */
import { kvmProbes } from '../../../virtual/index.ts';
import { quoted } from './host-session.ts';

/** Its exit status is 0 where it works. */
export function probeScript(): string {
  const { sector, status, commands } = kvmProbes('sector');
  const lines = commands.map(
    (argv) =>
      `${argv.map(quoted).join(' ')} || { status=$?; [ $status = ${status} ] || { echo "QEMU: exit status $status"; exit 1; }; }`,
  );
  return `[ -w /dev/kvm ] || { echo 'there is no /dev/kvm'; false; } && (
dir=$(mktemp -d) && cd "$dir" && trap 'rm -r "$dir"' EXIT
base64 -d >sector <<END
${Buffer.from(sector).toString('base64')}
END
${lines.join('\n')}
)`;
}
