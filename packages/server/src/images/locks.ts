/** Many may share it, or one have it alone: who does waits until nobody shares it, and keeps nobody from sharing it until then. */
export class SharedLock {
  #sharers = 0;
  #alone = false;
  #released = Promise.withResolvers<void>();

  async share<T>(act: () => Promise<T>): Promise<T> {
    while (this.#alone) await this.#released.promise;
    this.#sharers += 1;
    try {
      return await act();
    } finally {
      this.#sharers -= 1;
      this.#release();
    }
  }

  async alone<T>(act: () => Promise<T>): Promise<T> {
    while (this.#alone || this.#sharers > 0) await this.#released.promise;
    this.#alone = true;
    try {
      return await act();
    } finally {
      this.#alone = false;
      this.#release();
    }
  }

  #release(): void {
    const { resolve } = this.#released;
    this.#released = Promise.withResolvers();
    resolve();
  }
}
