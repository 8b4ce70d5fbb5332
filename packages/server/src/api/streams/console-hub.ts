import type { WebSocket } from 'ws';
import type { ConsolePort, NodeEndpoint } from '../../nodes/index.ts';
import { isUserError, UserError } from '../../platform/index.ts';
import { ConsoleLine } from './console-line.ts';

/** Shares nodes' serial consoles, which take one client only. Any number may watch, one of them types. */
export class ConsoleHub {
  /** By node id; each has at least one viewer, and is connected or about to be. */
  readonly #lines = new Map<number, ConsoleLine>();

  /**
   * Serves one viewer until he leaves, over reboots. Throws UserError when the console cannot be reached, or when it ends (a virtual
   * node was switched off, a controller gave up).
   */
  async serve(viewer: WebSocket, user: string, node: NodeEndpoint, port: ConsolePort): Promise<void> {
    const line = this.#lines.get(node.id) ?? this.#open(node.id, port);
    line.belongTo(node.bootOwner);
    const left = new Promise<'left'>((resolve) => {
      if (viewer.readyState !== viewer.OPEN) resolve('left');
      viewer.once('close', () => resolve('left'));
    });
    line.enter(viewer, user);
    try {
      const failure = await line.connected;
      if (failure !== undefined) throw isUserError(failure) ? failure : unreachable(node);
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

  #open(nodeId: number, port: ConsolePort): ConsoleLine {
    const line = new ConsoleLine(port);
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
  const why =
    node.type === 'virtual' ? 'the node was switched off' : 'its BMC went away, or gave it to another';
  return new UserError(
    'UNAVAILABLE',
    `The console of node ${node.name} ended: ${why}.`,
    `Open it again: walt node console ${node.name}`,
  );
}
