/** SHA-256, in plain code where a page that is not secure (http on a local network) has none. */

const ROUNDS = 64;
const BLOCK_BYTES = 64;

/**
 * The SHA-256 of these bytes, in hexadecimal.
 * @param {Uint8Array} bytes
 * @returns {Promise<string>}
 */
export async function sha256(bytes) {
  const subtle = globalThis.crypto?.subtle;
  const digest = subtle
    ? new Uint8Array(await subtle.digest("SHA-256", /** @type {BufferSource} */ (bytes)))
    : plainSha256(bytes);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {Uint8Array} bytes
 * @returns {Uint8Array} of 32 bytes
 */
export function plainSha256(bytes) {
  const { start, steps } = constants();
  const state = start.slice();
  const whole = bytes.length - (bytes.length % BLOCK_BYTES);
  const words = new Uint32Array(ROUNDS);
  for (let at = 0; at < whole; at += BLOCK_BYTES) mix(state, words, steps, bytes, at);
  const end = padded(bytes.subarray(whole), bytes.length);
  for (let at = 0; at < end.length; at += BLOCK_BYTES) mix(state, words, steps, end, at);
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, index) => digest.setUint32(index * 4, word));
  return new Uint8Array(digest.buffer);
}

/**
 * The last bytes, a one bit, zeros, and the length of the whole in bits.
 * @param {Uint8Array} rest
 * @param {number} length
 * @returns {Uint8Array}
 */
function padded(rest, length) {
  const end = new Uint8Array(rest.length + 9 > BLOCK_BYTES ? 2 * BLOCK_BYTES : BLOCK_BYTES);
  end.set(rest);
  end[rest.length] = 0x80;
  new DataView(end.buffer).setBigUint64(end.length - 8, BigInt(length) * 8n);
  return end;
}

/**
 * Takes one block of `bytes` into `state`.
 * @param {Uint32Array} state
 * @param {Uint32Array} words
 * @param {Uint32Array} steps
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function mix(state, words, steps, bytes, at) {
  for (let i = 0; i < 16; i += 1) {
    const from = at + i * 4;
    words[i] =
      (bytes[from] << 24) | (bytes[from + 1] << 16) | (bytes[from + 2] << 8) | bytes[from + 3];
  }
  for (let i = 16; i < ROUNDS; i += 1) {
    const near = words[i - 15];
    const far = words[i - 2];
    const low = turned(near, 7) ^ turned(near, 18) ^ (near >>> 3);
    const high = turned(far, 17) ^ turned(far, 19) ^ (far >>> 10);
    words[i] = (words[i - 16] + low + words[i - 7] + high) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < ROUNDS; i += 1) {
    const choice = (e & f) ^ (~e & g);
    const first =
      (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + choice + steps[i] + words[i]) | 0;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + majority) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, index) => {
    state[index] = (state[index] + word) | 0;
  });
}

/**
 * @param {number} word
 * @param {number} bits
 * @returns {number}
 */
function turned(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}

/** @type {{start: Uint32Array, steps: Uint32Array} | null} */
let known = null;

/** The first 32 bits behind the point of the roots of the first primes: square, then cube. */
function constants() {
  if (known !== null) return known;
  /** @type {number[]} */
  const primes = [];
  for (let number = 2; primes.length < ROUNDS; number += 1) {
    if (primes.every((prime) => number % prime !== 0)) primes.push(number);
  }
  known = {
    start: Uint32Array.from(primes.slice(0, 8), (prime) => fraction(prime, 2n)),
    steps: Uint32Array.from(primes, (prime) => fraction(prime, 3n)),
  };
  return known;
}

/**
 * The first 32 bits behind the point of the `degree`-th root of `prime`: by halving, exactly.
 * @param {number} prime
 * @param {bigint} degree
 * @returns {number}
 */
function fraction(prime, degree) {
  const wanted = BigInt(prime) << (32n * degree);
  let low = 0n;
  let high = BigInt(prime) << 32n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= wanted) low = middle;
    else high = middle;
  }
  return Number(low & 0xffffffffn);
}
