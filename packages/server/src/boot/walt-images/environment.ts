/** What scripts on nodes know of the platform, by the names that WalT 10 gave it. */
import { digestHex } from '@walt/contract';

/** Ports of a server of WalT 10. Nothing listens there. */
const PORTS = {
  walt_server_rpc_port: '12345',
  walt_server_logs_port: '12347',
  walt_server_notify_bootup_port: '12347',
};

/** `size`: bytes of the image's layers. */
export function environmentOf(image: {
  digest: string;
  size: number;
  server: string;
}): Record<string, string> {
  return {
    walt_server_ip: image.server,
    walt_image_id: digestHex(image.digest),
    walt_image_size_kib: String(Math.ceil(image.size / 1024)),
    ...PORTS,
  };
}

/** As a file that shells read. Values have neither blanks nor quotes. */
export function environmentFile(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `export ${name}=${value}\n`)
    .join('');
}
