import type { Architecture } from '@walt/contract';
import type { Paths } from '../../platform/index.ts';
import { dmCall, kexecCall, readBusybox } from '../binaries/index.ts';
import { initArchive } from './initramfs.ts';

/** The initramfs part that is the server's own, made once per architecture when first asked for, then kept: 1 MB each. */
export class InitArchives {
  readonly #paths: Pick<Paths, 'busybox'>;
  readonly #made = new Map<Architecture, Promise<Buffer>>();

  constructor(paths: Pick<Paths, 'busybox'>) {
    this.#paths = paths;
  }

  /** Throws UserError UNAVAILABLE when there is no busybox for it; the next call looks again. */
  get(architecture: Architecture): Promise<Buffer> {
    const known = this.#made.get(architecture);
    if (known) return known;
    const made = readBusybox(architecture, this.#paths).then((busybox) =>
      initArchive(busybox, { kexecCall: kexecCall(architecture), dmCall: dmCall(architecture) }),
    );
    this.#made.set(architecture, made);
    made.catch(() => this.#made.delete(architecture));
    return made;
  }
}
