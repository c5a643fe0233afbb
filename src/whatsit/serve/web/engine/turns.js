/** Things that must not happen at once: each waits for those that were asked before it. */

export class Turns {
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * What `work` gives, once its turn has come; the failure of another is none of its business.
   * @template T
   * @param {() => T | Promise<T>} work
   * @returns {Promise<T>}
   */
  take(work) {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {}); // told to whoever asked for it
    return done;
  }
}
