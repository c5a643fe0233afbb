/**
 * The order that Python's `random.Random(seed).shuffle` gives: the Mersenne Twister of M. Matsumoto
 * and T. Nishimura, ACM TOMACS 8 (1998), 3-30, so that pictures are parted as in Python.
 */

const LENGTH = 624;
const SHIFT = 397;

/**
 * 0 … count-1 in random order.
 * @param {number} count
 * @param {number} seed
 * @returns {number[]}
 */
export function shuffled(count, seed) {
  const chance = new Twister(seed);
  const values = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = chance.below(i + 1);
    [values[i], values[j]] = [values[j], values[i]];
  }
  return values;
}

class Twister {
  /** @param {number} seed below 2^32 */
  constructor(seed) {
    this.state = new Uint32Array(LENGTH);
    this.place = LENGTH;
    this.#seeded(19650218);
    const { state } = this;
    let i = 1;
    for (let k = LENGTH; k > 0; k--) {
      state[i] = (state[i] ^ Math.imul(state[i - 1] ^ (state[i - 1] >>> 30), 1664525)) + seed;
      i = this.#next(i);
    }
    for (let k = LENGTH - 1; k > 0; k--) {
      state[i] = (state[i] ^ Math.imul(state[i - 1] ^ (state[i - 1] >>> 30), 1566083941)) - i;
      i = this.#next(i);
    }
    state[0] = 0x80000000;
  }

  /**
   * A whole number from 0 to below `count`.
   * @param {number} count
   */
  below(count) {
    const bits = 32 - Math.clz32(count);
    let found = this.#word() >>> (32 - bits);
    while (found >= count) found = this.#word() >>> (32 - bits);
    return found;
  }

  /** @param {number} seed */
  #seeded(seed) {
    this.state[0] = seed;
    for (let i = 1; i < LENGTH; i++) {
      const before = this.state[i - 1];
      this.state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
  }

  /** @param {number} i */
  #next(i) {
    if (i + 1 < LENGTH) return i + 1;
    this.state[0] = this.state[LENGTH - 1];
    return 1;
  }

  #word() {
    if (this.place === LENGTH) this.#twist();
    let word = this.state[this.place++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #twist() {
    const { state } = this;
    for (let i = 0; i < LENGTH; i++) {
      const joined = (state[i] & 0x80000000) | (state[(i + 1) % LENGTH] & 0x7fffffff);
      const turned = joined & 1 ? 0x9908b0df : 0;
      state[i] = state[(i + SHIFT) % LENGTH] ^ (joined >>> 1) ^ turned;
    }
    this.place = 0;
  }
}
