/** A map of evidence as colours over the picture and as words: whatsit.explain.drawing. */

import { LEVELS, heat, sides } from "../core/explain/colours.js";
import { Evidence, REGIONS, pixels } from "../core/explain/evidence.js";
import { percent } from "./numbers.js";
import { WORDS } from "./words.js";

const W = WORDS.why;
const LONGEST_SIDE = 640; // pixels of the map: it is smooth, and the browser enlarges it
// As whatsit.explain.drawing has them; app.css dims the picture itself.
const DIM = 0.72;
const UNSEEN = 0.32;
const OPAQUE = 0.68;
const FAINT = 0.06;
const WORTH = 0.15; // of the strongest: a weaker peak of a side of a difference is not marked
const NOTHING = 1e-9;
const GROUND = "#14171a";
const INK = "#eceef0";
const FIRST = "#7fbeff";
const SECOND = "#ffb060";
const EVEN = 0.2; // where no part has more, the evidence is all over the picture
const NAMED = 2;
const WORTH_NAMING = 0.15;
const WHOLE = 0.995;

/** @typedef {import("../engine/messages.js").Explained} Explained */
/** @typedef {import("../core/explain/colours.js").Rgb} Rgb */

/**
 * Draws a map onto a canvas that lies over the picture.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Explained} why
 * @param {"target"|"difference"} kind
 * @returns {string} The colours of its scale, as CSS.
 */
export function draw(canvas, why, kind) {
  const scale = LONGEST_SIDE / Math.max(...why.size);
  const [width, height] = why.size.map((side) => Math.max(1, Math.round(side * scale)));
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const evidence = evidenceOf(why, kind);
  const { first, second } = kind === "target" ? { first: heat(), second: heat() } : sides();
  if (context) {
    const values = evidence.onPicture(height, width);
    const most = largest(values, kind);
    const image = context.createImageData(width, height);
    paint(image.data, values, (value) => value / most, kind === "target" ? null : second, first);
    context.putImageData(image, 0, 0);
    frame(context, why.placement.box);
    mark(context, peakOf(evidence, most), kind === "target" ? INK : FIRST);
    if (kind === "difference") mark(context, peakOf(evidence.negated(), most), SECOND);
  }
  const ramp = kind === "target" ? first : [...first].reverse().concat(second);
  return gradient(ramp);
}

/**
 * Where the evidence lies, in words, as people see the picture.
 *
 * @param {Explained} why
 * @param {"target"|"difference"} kind
 * @param {boolean} mirrored Whether the picture is shown so.
 */
export function told(why, kind, mirrored) {
  const { target, versus, placement } = why;
  const evidence = evidenceOf(why, kind);
  const sentences =
    kind === "difference" && versus
      ? [
          sentence(W.forRather(target.label, versus.label), evidence, mirrored),
          sentence(W.forInstead(versus.label), evidence.negated(), mirrored),
        ]
      : [sentence(W.for(target.label), evidence, mirrored)];
  const [left, top, right, bottom] = placement.box;
  const seen = (right - left) * (bottom - top);
  if (seen < WHOLE) sentences.push(W.saw(percent(seen, 0)));
  return sentences.join(" ");
}

/**
 * @param {Explained} why
 * @param {"target"|"difference"} kind
 */
function evidenceOf({ map, difference, placement }, kind) {
  return new Evidence(kind === "difference" && difference ? difference : map, placement);
}

/**
 * @param {string} start
 * @param {Evidence} evidence
 * @param {boolean} mirrored
 */
function sentence(start, evidence, mirrored) {
  if (evidence.peak === null) return W.none(start);
  const shares = evidence.regions.map((share, part) => {
    const across = part % 3;
    return { share, name: REGIONS[mirrored ? part - across + 2 - across : part] };
  });
  const ranked = shares.sort((one, other) => other.share - one.share);
  if (ranked[0].share < EVEN) return W.everywhere(start);
  const named = ranked.slice(0, NAMED).filter(({ share }) => share >= WORTH_NAMING);
  return W.most(start, named.map(({ name, share }) => W.part(name, percent(share, 0))));
}

/**
 * @param {Float32Array} values
 * @param {"target"|"difference"} kind
 */
function largest(values, kind) {
  let most = NOTHING;
  for (const value of values) {
    const size = kind === "target" ? value : Math.abs(value);
    if (size > most) most = size; // not NaN
  }
  return most;
}

/**
 * A peak that is worth a ring, or null.
 *
 * @param {Evidence} evidence
 * @param {number} most
 */
function peakOf(evidence, most) {
  const { peak } = evidence;
  return peak && Math.max(...evidence.cells.values) >= WORTH * most ? peak : null;
}

/**
 * @param {Uint8ClampedArray} rgba
 * @param {Float32Array} values NaN where nobody looked
 * @param {(value: number) => number} strengthOf from -1 to 1
 * @param {Rgb[]|null} against null where nothing is drawn for what speaks against it
 * @param {Rgb[]} speaks
 */
function paint(rgba, values, strengthOf, against, speaks) {
  values.forEach((value, i) => {
    if (Number.isNaN(value)) {
      rgba[4 * i + 3] = 255 * (1 - UNSEEN / DIM); // black over the dimmed picture
      return;
    }
    const strength = strengthOf(value);
    const ramp = strength >= 0 ? speaks : against;
    const size = Math.abs(strength);
    if (ramp === null || size <= FAINT) return;
    const colour = ramp[Math.round(Math.min(1, size) * (LEVELS - 1))];
    rgba.set(colour, 4 * i);
    // A soft start, or the edge of the map would look like one of the picture.
    rgba[4 * i + 3] = 255 * OPAQUE * Math.min(1, (size - FAINT) / (1 - FAINT)) ** 0.75;
  });
}

/**
 * A thin line around what the model saw.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {readonly number[]} box
 */
function frame(context, box) {
  const { width, height } = context.canvas;
  const [left, top, right, bottom] = pixels(box, height, width);
  if (right - left === width && bottom - top === height) return;
  context.strokeStyle = INK;
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, top + 0.5, right - left - 1, bottom - top - 1);
}

/**
 * A ring around the peak, to be seen on any ground.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number]|null} peak
 * @param {string} ink
 */
function mark(context, peak, ink) {
  if (peak === null) return;
  const { width, height } = context.canvas;
  for (const [line, colour] of /** @type {[number, string][]} */ ([[5, GROUND], [2.5, ink]])) {
    context.beginPath();
    context.arc(peak[0] * width, peak[1] * height, Math.max(width, height) / 45, 0, 2 * Math.PI);
    context.lineWidth = line;
    context.strokeStyle = colour;
    context.stroke();
  }
}

/** @param {Rgb[]} ramp */
function gradient(ramp) {
  const steps = ramp.filter((_, i) => i % 16 === 0 || i === ramp.length - 1);
  return `linear-gradient(to right, ${steps.map((rgb) => `rgb(${rgb.join(" ")})`).join(", ")})`;
}
