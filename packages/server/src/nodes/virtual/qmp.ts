import { createConnection } from 'node:net';

/** Milliseconds that QEMU may take to answer. */
const LIMIT = 2_000;

/**
 * True when the QEMU behind this socket runs its machine: it carries out a command of its monitor (QEMU Machine Protocol
 * specification). Its greeting alone says nothing: it comes from another thread, before devices are made and rights given up.
 */
export function answers(qmpSocket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(qmpSocket);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(LIMIT, () => settle(false));
    socket.once('error', () => settle(false));
    socket.once('close', () => settle(false));
    let said = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      if (said === '') socket.write('{"execute":"qmp_capabilities"}\n');
      said += text;
      if (/^\{"return"/m.test(said)) settle(true);
    });
  });
}
