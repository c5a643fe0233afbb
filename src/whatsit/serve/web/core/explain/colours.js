/**
 * Colours for maps: even steps of the number are even steps to the eye. whatsit.explain.colours.
 *
 * They are laid out in OKLab (bottosson.github.io/posts/oklab), and told apart by their lightness
 * too, so that they work without colour vision and in grey.
 */

import { rint } from "../teach/numbers.js";

export const LEVELS = 256;
const [DARK, LIGHT] = [0.32, 0.93]; // lightness at either end of the heat
const [VIOLET, YELLOW] = [310, 460]; // hues in degrees; the way leads through red
const CHROMA = 0.19;
const [BLUE, ORANGE] = [255, 58];
// OKLab to the cube roots of the cone responses, and these to linear sRGB.
const TO_CONES = [
  [1, 0.3963377774, 0.2158037573],
  [1, -0.1055613458, -0.0638541728],
  [1, -0.0894841775, -1.291485548],
];
const TO_RGB = [
  [4.0767416621, -3.3077115913, 0.2309699292],
  [-1.2684380046, 2.6097574011, -0.3413193965],
  [-0.0041960863, -0.7034186147, 1.707614701],
];

/** @typedef {[number, number, number]} Rgb */

/**
 * Dark violet for nothing, over red, to light yellow for the most.
 * @returns {Rgb[]} LEVELS of them
 */
export function heat() {
  return ramp((t) => [
    DARK + (LIGHT - DARK) * t,
    CHROMA * Math.sin(Math.PI * (0.12 + 0.66 * t)),
    VIOLET + (YELLOW - VIOLET) * t,
  ]);
}

/**
 * Blue for the one side and orange for the other, the stronger the lighter.
 * @returns {{first: Rgb[], second: Rgb[]}}
 */
export function sides() {
  return { first: side(BLUE, 0.42, 0.8), second: side(ORANGE, 0.5, 0.88) };
}

/**
 * @param {number} hue
 * @param {number} dark
 * @param {number} light
 */
function side(hue, dark, light) {
  return ramp((t) => [dark + (light - dark) * t, 0.15 - 0.03 * t, hue]);
}

/**
 * @param {(t: number) => [lightness: number, chroma: number, hue: number]} way
 * @returns {Rgb[]}
 */
function ramp(way) {
  return Array.from({ length: LEVELS }, (_, i) => srgb(...way(i / (LEVELS - 1))));
}

/**
 * OKLCh to 8-bit sRGB, what lies outside of it cut off.
 * @param {number} lightness
 * @param {number} chroma
 * @param {number} hue
 * @returns {Rgb}
 */
function srgb(lightness, chroma, hue) {
  const angle = (hue * Math.PI) / 180;
  const lab = [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const cones = TO_CONES.map((row) => dot(row, lab) ** 3);
  const levels = TO_RGB.map((row) => {
    const linear = Math.min(1, Math.max(0, dot(row, cones)));
    const level = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
    return rint(255 * level);
  });
  return /** @type {Rgb} */ (levels);
}

/**
 * @param {number[]} one
 * @param {number[]} other
 */
function dot(one, other) {
  return one.reduce((sum, value, i) => sum + value * other[i], 0);
}
