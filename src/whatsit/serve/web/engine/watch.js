/**
 * Notices a worker that has ended without a word, as browsers end one where memory is short: it is
 * asked for a sign of life, and given up when none has come for half a minute.
 *
 * Counted are the questions without an answer, not the time: a page that was asleep for an hour has
 * asked but once. A worker that computes cannot answer, so the patience is that of a slow phone
 * with a large picture.
 */

const ASK_MS = 3000;
const PATIENCE = 10;

export class Watch {
  #ask;
  #onSilence;
  #unanswered = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {() => void} ask
   * @param {() => void} onSilence
   */
  constructor(ask, onSilence) {
    this.#ask = ask;
    this.#onSilence = onSilence;
  }

  /** Something is expected of the worker from now on, until `end`. */
  begin() {
    if (this.#timer !== undefined) return;
    this.#unanswered = 0;
    this.#timer = setInterval(() => this.#tick(), ASK_MS);
  }

  /** The worker has said something. */
  heard() {
    this.#unanswered = 0;
  }

  end() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick() {
    if (this.#unanswered >= PATIENCE) {
      this.end();
      this.#onSilence();
      return;
    }
    this.#unanswered += 1;
    this.#ask();
  }
}
