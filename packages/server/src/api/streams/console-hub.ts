import type { WebSocket } from 'ws';
import type { NodeEndpoint } from '../../nodes/index.ts';
import { UserError } from '../../platform/index.ts';
import { ConsoleLine } from './console-line.ts';

/** Shares virtual nodes' serial consoles: QEMU's socket takes one client only, any number may watch and type. */
export class ConsoleHub {
  /** By node id; each has at least one viewer, and is connected or about to be. */
  readonly #lines = new Map<number, ConsoleLine>();

  /**
   * Serves one viewer until he leaves, over reboots. Throws UNAVAILABLE when the console cannot be reached, or when it ends (the
   * node was switched off). `log` is the file where QEMU records what the console prints.
   */
  async serve(
    viewer: WebSocket,
    node: NodeEndpoint,
    { socket, log }: { socket: string; log: string },
  ): Promise<void> {
    const line = this.#lines.get(node.id) ?? this.#open(node.id, socket, log);
    line.belongTo(node.bootOwner);
    const left = new Promise<'left'>((resolve) => {
      if (viewer.readyState !== viewer.OPEN) resolve('left');
      viewer.once('close', () => resolve('left'));
    });
    line.enter(viewer);
    try {
      if (!(await line.connected)) throw unreachable(node);
      line.show(viewer);
      viewer.resume();
      if ((await Promise.race([left, line.closed])) === 'closed') throw ended(node);
    } finally {
      line.leave(viewer);
      if (line.over) this.#forget(node.id, line);
    }
  }

  close(): void {
    for (const line of this.#lines.values()) line.close();
  }

  #open(nodeId: number, socket: string, log: string): ConsoleLine {
    const line = new ConsoleLine(socket, log);
    this.#lines.set(nodeId, line);
    line.closed.then(() => this.#forget(nodeId, line));
    return line;
  }

  #forget(nodeId: number, line: ConsoleLine): void {
    if (this.#lines.get(nodeId) === line) this.#lines.delete(nodeId);
  }
}

function unreachable(node: NodeEndpoint): UserError {
  return new UserError(
    'UNAVAILABLE',
    `The console of node ${node.name} does not answer.`,
    `Start the node again: walt node reboot --hard ${node.name}`,
  );
}

function ended(node: NodeEndpoint): UserError {
  return new UserError(
    'UNAVAILABLE',
    `The console of node ${node.name} ended: the node was switched off.`,
    `Open it again: walt node console ${node.name}`,
  );
}
