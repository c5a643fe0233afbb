/** How fast it goes: the last answers' times, answers a second, and frames that were left out. */

const KEPT = 240; // answers: some 8 s of live video
const WINDOW_MS = 2000;

export class Stats {
  /** @type {number[]} */
  #totals = [];
  /** @type {number[]} */
  #ends = [];
  #frames = 0;
  #taken = 0;
  #count = 0;

  /** @param {number} [count] How many frames the video has shown since the last call. */
  frame(count = 1) {
    this.#frames += count;
  }

  /** One of the frames goes to the model. */
  taken() {
    this.#taken++;
  }

  /**
   * @param {number} total_ms
   * @param {number} now_ms
   */
  answered(total_ms, now_ms) {
    this.#count++;
    this.#totals.push(total_ms);
    this.#ends.push(now_ms);
    if (this.#totals.length > KEPT) this.#totals.shift();
    while (this.#ends.length > 0 && now_ms - this.#ends[0] > WINDOW_MS) this.#ends.shift();
  }

  /** After a pause, or when something else is shown. */
  clear() {
    this.#totals = [];
    this.#ends = [];
    this.#frames = 0;
    this.#taken = 0;
    this.#count = 0;
  }

  /** Frames that came while one was at work, or within the interval. */
  get dropped() {
    return Math.max(0, this.#frames - this.#taken);
  }

  /** Answers since the last clear(). */
  get count() {
    return this.#count;
  }

  /** Answers a second, over the last two. */
  get fps() {
    const ends = this.#ends;
    if (ends.length < 2) return 0;
    return ((ends.length - 1) * 1000) / (ends[ends.length - 1] - ends[0]);
  }

  /**
   * The time that this share of the answers stayed within, by nearest rank; null of none.
   *
   * @param {number} share
   * @returns {number|null}
   */
  quantile(share) {
    if (this.#totals.length === 0) return null;
    const sorted = [...this.#totals].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
  }
}
