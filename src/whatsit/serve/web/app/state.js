/** What a person has chosen, kept in this browser: each value checked, each change told at once. */

const KEY = "whatsit.settings";

/** @typedef {string|number|null} Value */

/**
 * Every key: what it starts as, and whether a value is one it may have.
 *
 * @type {Record<string, {first: Value, good: (value: any) => boolean}>}
 */
const KEYS = {
  model: { first: null, good: textOrNull },
  build: { first: "auto", good: oneOf("auto", "threaded", "relaxed", "compat") },
  threads: { first: null, good: (value) => value === null || whole(value, 1, 64) },
  top: { first: 3, good: (value) => whole(value, 1, 10) },
  threshold: { first: 0.2, good: (value) => typeof value === "number" && value >= 0 && value <= 1 },
  smoothing: { first: "0.5s", good: oneOf("off", "0.25s", "0.5s", "1s") },
  rule: { first: "trained", good: oneOf("trained", "crop", "pad", "stretch") },
  interval: { first: 0, good: (value) => whole(value, 0, 60_000) },
  theme: { first: "auto", good: oneOf("auto", "light", "dark") },
  coverage: { first: 0.9, good: share },
  acceptance: { first: 0.95, good: share },
  facing: { first: "environment", good: oneOf("environment", "user") },
  device: { first: null, good: textOrNull },
  outline: { first: 0, good: (value) => whole(value, 0, 1) },
};

export class State {
  /** @type {Map<string, Value>} */
  #values = new Map();
  /** @type {Map<string, Set<(value: any) => void>>} */
  #listeners = new Map();
  #storage;

  /** @param {Storage|null} storage Null where a browser keeps nothing: it then lasts as the page. */
  constructor(storage) {
    this.#storage = storage;
    const kept = parsed(storage);
    for (const [key, { first, good }] of Object.entries(KEYS)) {
      this.#values.set(key, key in kept && good(kept[key]) ? kept[key] : first);
    }
  }

  /**
   * @param {string} key
   * @returns {any}
   */
  get(key) {
    if (!this.#values.has(key)) throw new RangeError(`no such setting: ${key}`);
    return this.#values.get(key);
  }

  /**
   * Keeps a value and tells those who asked; one that the key may not have is refused.
   *
   * @param {string} key
   * @param {Value} value
   */
  set(key, value) {
    const before = this.get(key);
    if (!KEYS[key]?.good(value)) throw new RangeError(`${key} cannot be ${value}`);
    if (before === value) return;
    this.#values.set(key, value);
    this.#keep();
    for (const listener of this.#listeners.get(key) ?? []) listener(value);
  }

  /**
   * Calls `listener` at each change; what comes back ends that.
   *
   * @param {string} key
   * @param {(value: any) => void} listener
   * @returns {() => void}
   */
  on(key, listener) {
    const all = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, all.add(listener));
    return () => all.delete(listener);
  }

  /** Everything as on the first day, but for the model in use. */
  reset() {
    for (const [key, { first }] of Object.entries(KEYS)) if (key !== "model") this.set(key, first);
  }

  #keep() {
    try {
      this.#storage?.setItem(KEY, JSON.stringify(Object.fromEntries(this.#values)));
    } catch {
      this.#storage = null; // full or forbidden: the choice holds until the page goes
    }
  }
}

/** @returns {Storage|null} */
export function storage() {
  try {
    return window.localStorage;
  } catch {
    return null; // forbidden by the browser's settings
  }
}

/**
 * @param {Storage|null} kept
 * @returns {Record<string, any>}
 */
function parsed(kept) {
  try {
    const value = JSON.parse(kept?.getItem(KEY) ?? "{}");
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {}; // not ours
  }
}

/** @param {...string} words */
function oneOf(...words) {
  return (/** @type {any} */ value) => words.includes(value);
}

/**
 * @param {any} value
 * @param {number} low
 * @param {number} high
 */
function whole(value, low, high) {
  return Number.isInteger(value) && value >= low && value <= high;
}

/** @param {any} value */
function share(value) {
  return typeof value === "number" && value > 0 && value < 1;
}

/** @param {any} value */
function textOrNull(value) {
  return value === null || typeof value === "string";
}

export const state = new State(typeof window === "undefined" ? null : storage());
