/** Listens at a port, which is its only argument, and hands the socket to its parent (host-listeners.ts). */
import { createServer } from 'node:net';

const port = Number(process.argv[2]);

function listen(host: string): void {
  const server = createServer();
  server.once('error', ({ code = 'EXTERNAL' }: NodeJS.ErrnoException) => {
    const isWithoutIpv6 = host === '::' && ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(code);
    if (isWithoutIpv6) listen('0.0.0.0');
    else process.send?.(code);
  });
  server.listen({ host, port, exclusive: true }, () => {
    process.send?.('open', server);
  });
}

// It stays until its parent has read what it sent.
process.channel?.ref();
process.on('disconnect', () => process.exit());
listen('::');
