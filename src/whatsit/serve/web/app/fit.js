/** Where a picture lies on the stage, and which part of it the model sees. Numbers only. */

/** @typedef {{width: number, height: number}} Size */
/** @typedef {import("./types.js").Crop} Crop */

/** @type {Crop} */
export const WHOLE = { left: 0, top: 0, right: 1, bottom: 1 };

/**
 * The part of a picture that a rule such as `crop(0.875, bicubic)` takes, as fractions of it.
 *
 * @param {string} rule
 * @param {Size} picture
 * @returns {Crop}
 */
export function cropOf(rule, picture) {
  if (!rule.startsWith("crop") || !picture.width || !picture.height) return WHOLE;
  const fraction = Number(/[\d.]+/.exec(rule)?.[0] ?? 1);
  const side = Math.min(picture.width, picture.height) * fraction;
  const x = (1 - side / picture.width) / 2;
  const y = (1 - side / picture.height) / 2;
  return { left: x, top: y, right: 1 - x, bottom: 1 - y };
}

/**
 * The picture's rectangle on a stage, in its pixels. With `fill` it covers the stage as far as what
 * the model sees stays in view; else all of it is shown.
 *
 * @param {Size} stage
 * @param {Size} picture
 * @param {Crop} crop
 * @param {boolean} fill
 * @returns {{left: number, top: number, width: number, height: number}}
 */
export function placed(stage, picture, crop, fill) {
  if (!picture.width || !picture.height) return { left: 0, top: 0, ...stage };
  const across = stage.width / picture.width;
  const down = stage.height / picture.height;
  const inside = Math.min(
    across / (crop.right - crop.left),
    down / (crop.bottom - crop.top),
    Math.max(across, down),
  );
  const scale = fill ? Math.max(inside, Math.min(across, down)) : Math.min(across, down);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return { left: (stage.width - width) / 2, top: (stage.height - height) / 2, width, height };
}

/**
 * The same part of a picture that is shown mirrored.
 *
 * @param {Crop} crop
 * @returns {Crop}
 */
export function mirrored(crop) {
  return { ...crop, left: 1 - crop.right, right: 1 - crop.left };
}
