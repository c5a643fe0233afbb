/** Every sentence of the view “Teach”, in plain English. */

import { percent } from "../numbers.js";

/** @param {number} count */
export function pictures(count) {
  return `${count} picture${count === 1 ? "" : "s"}`;
}

/** @param {string} name */
const quoted = (name) => `“${name}”`;

/** @param {string[]} names */
function listed(names) {
  const all = names.map(quoted);
  return all.length < 2 ? all.join() : `${all.slice(0, -1).join(", ")} and ${all[all.length - 1]}`;
}

export const TEACH = {
  title: "Teach it your own classes",
  promise: "Everything stays on this device: pictures, teaching and model.",
  builtOn: (/** @type {string} */ name) => `Built on ${name}`,
  otherBackbone: (/** @type {string} */ name, /** @type {string} */ other) =>
    `${quoted(name)} cannot be taught, so ${other} is built on instead.`,
  modelName: "Name of the model",
  defaultName: "My model",
  className: "Name of this class",
  newClass: (/** @type {number} */ number) => `Class ${number}`,
  addClass: "Add a class",
  removeClass: (/** @type {string} */ name) => `Delete the class ${quoted(name)} and its pictures`,
  removedClass: (/** @type {string} */ name) => `Deleted ${quoted(name)}`,
  removedPicture: (/** @type {string} */ name) => `Deleted a picture of ${quoted(name)}`,
  undo: "Undo",
  hold: "Hold to collect",
  holdOf: (/** @type {string} */ name) =>
    `Hold to collect pictures of ${quoted(name)}, tap for one`,
  files: "Add files",
  filesOf: (/** @type {string} */ name) => `Add files to ${quoted(name)}`,
  pictureOf: (/** @type {string} */ name, /** @type {number} */ number) =>
    `Picture ${number} of ${quoted(name)}`,
  removePicture: (/** @type {string} */ name, /** @type {number} */ number) =>
    `Delete picture ${number} of ${quoted(name)}`,
  counted: (/** @type {string} */ name, /** @type {number} */ count) =>
    `${name}: ${pictures(count)}`,
  noPictures: "No pictures yet. Hold the button while the camera looks at it, or drop files here.",
  stageEmpty: "Start the camera to collect pictures, or add files to a class.",
  startCamera: "Start camera",
  stopCamera: "Stop camera",
  flip: "Switch camera",
  unread: (/** @type {string} */ name) => `${name || "A picture"} cannot be read and was left out`,
  tooMany: (/** @type {number} */ most) => `A class holds at most ${most} pictures here`,
  teach: "Teach",
  again: "Teach again",
  stale: "Pictures or names have changed since it was taught.",
  ready: (/** @type {number} */ count, /** @type {number} */ classes) =>
    `${pictures(count)} of ${classes} classes`,
  looking: (/** @type {number} */ done, /** @type {number} */ total) =>
    `Looking at picture ${done} of ${total}`,
  fitting: "Teaching",
  missing: {
    classes: "Add a second class: of one alone, everything would be it.",
    pictures: (/** @type {string[]} */ names) => `Add pictures to ${listed(names)}.`,
    nameless: "Give each class a name.",
    twice: (/** @type {string} */ name) => `Two classes are called ${quoted(name)}.`,
  },
  warn: {
    few: (/** @type {string[]} */ names) =>
      `${listed(names)}: few pictures. 20 or more of each class do better.`,
    unbalanced: (/** @type {string} */ most, /** @type {string} */ least) =>
      `Far more pictures of ${quoted(most)} than of ${quoted(least)}: it may be answered too often.`,
    alike: (/** @type {string[]} */ names) =>
      `All pictures of ${listed(names)} look the same. Move the camera or the thing while you hold.`,
  },
  taught: (/** @type {number} */ seconds) => `Taught in ${seconds.toFixed(1)} s`,
  estimate: (/** @type {number} */ right, /** @type {number} */ judged) =>
    `Of ${judged} of your pictures, ${right} (${percent(right / judged)}) were told right by a ` +
    "model that had not seen them. In another place or light it may be fewer.",
  interval: (/** @type {number} */ low, /** @type {number} */ high) =>
    `With so few pictures, that stands for anything from ${percent(low)} to ${percent(high)}.`,
  noEstimate: "How well it does could not be estimated: that takes pictures that differ.",
  mixed: (/** @type {{truth: string, given: string, pictures: number}} */ one) =>
    `${quoted(one.truth)} taken for ${quoted(one.given)}: ${pictures(one.pictures)}`,
  mixedTitle: "Mixed up most",
  unknown: "It says “unknown” of what looks like none of your classes.",
  noUnknown:
    "It cannot say “unknown” yet: that takes 20 pictures that differ. Every answer is a class.",
  tryIt: "Try it",
  tryHint: "Start the camera or try a picture: what it takes it for stands here.",
  tryPicture: "Try a picture",
  keep: "Keep and use it",
  kept: (/** @type {string} */ name) => `${quoted(name)} is kept on this device, and in use`,
  download: "Download the model",
  downloadText: "A .tflite file for whatsit, MediaPipe and LiteRT",
  archive: "Download the pictures",
  archiveText: "A folder for each class, for whatsit train",
  clear: "Start over",
  clearSure: "Delete all classes and pictures?",
  clearYes: "Delete all",
  clearNo: "Keep them",
  notKept: "The pictures could not be kept for the next visit",
  loading: "Opening what was collected before…",
};
