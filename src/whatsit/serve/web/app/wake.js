/** The screen stays on while the camera is live, where the browser lets it. */

export class Awake {
  /** @type {WakeLockSentinel|null} */
  #lock = null;
  #wanted = false;

  constructor() {
    // The system takes it back whenever the page is hidden.
    document.addEventListener("visibilitychange", () => this.want(this.#wanted));
  }

  /** @param {boolean} wanted */
  async want(wanted) {
    this.#wanted = wanted;
    if (!wanted) {
      const lock = this.#lock;
      this.#lock = null;
      await lock?.release();
      return;
    }
    if (document.visibilityState !== "visible" || (this.#lock && !this.#lock.released)) return;
    try {
      const lock = await navigator.wakeLock?.request("screen");
      if (!lock) return;
      if (this.#wanted && !this.#held) this.#lock = lock;
      else await lock.release(); // no longer wanted, or asked for twice
    } catch {
      // an empty battery, or not allowed: the screen then dims as it always does
    }
  }

  get #held() {
    return this.#lock !== null && !this.#lock.released;
  }
}
