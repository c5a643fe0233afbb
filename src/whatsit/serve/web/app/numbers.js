/** Numbers as people read them: whatsit.wording. */

/**
 * A share of 0.8415 as `84 %`, or `84.2 %` with a digit; a small one is never told as 0.
 *
 * @param {number} share
 * @param {number} [digits]
 */
export function percent(share, digits = 0) {
  const least = 10 ** -digits / 2;
  if (share > 0 && 100 * share < least) return `< ${digits ? 0.1 : 1} %`;
  return `${(100 * share).toFixed(digits)} %`;
}

/**
 * A time as `4.51 ms`: three figures, or all before the point.
 *
 * @param {number} ms
 */
export function milliseconds(ms) {
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

/**
 * A size as `5.3 MB`, of a million bytes each.
 *
 * @param {number} bytes
 */
export function megabytes(bytes) {
  if (bytes < 1e5) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
}

/**
 * @param {ArrayLike<number>} pair
 */
export function times(pair) {
  return `${Math.round(pair[0])} × ${Math.round(pair[1])}`;
}

/**
 * A time in a video as `1:05`.
 *
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
