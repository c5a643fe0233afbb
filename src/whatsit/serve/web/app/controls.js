/** What lies over the stage: the first screen, the buttons, the line that says what is shown. */

import { attribute, fill, h, icon, iconButton, write } from "./dom.js";
import { clock } from "./numbers.js";
import { SAMPLES } from "./sources.js";
import { WORDS } from "./words.js";

const W = WORDS.stage;

/**
 * @typedef {Object} Ways What the buttons do.
 * @property {() => void} camera
 * @property {() => void} pick
 * @property {() => void} flip
 * @property {() => void} toggle
 * @property {() => void} home
 * @property {() => void} back
 * @property {(shown: boolean) => void} outline
 * @property {(sample: import("./sources.js").Sample) => void} sample
 */

/** The first screen: the camera, a picture, samples. */
export function startScreen(/** @type {Ways} */ ways) {
  const samples = SAMPLES.map((sample) =>
    h(
      "button",
      {
        type: "button",
        class: "sample",
        "aria-label": WORDS.start.sample(sample.name),
        title: sample.name,
        onclick: () => ways.sample(sample),
      },
      h("img", { src: `samples/${sample.file}`, alt: "", decoding: "async", draggable: "false" }),
    ),
  );
  return h(
    "div",
    { class: "start" },
    h(
      "div",
      { class: "start-body" },
      h("div", { class: "finder", "aria-hidden": "true" }, icon("camera")),
      h("h1", {}, WORDS.start.title),
      h("p", {}, WORDS.start.text),
      h(
        "div",
        { class: "buttons" },
        h(
          "button",
          { type: "button", class: "button primary", id: "start-camera", onclick: ways.camera },
          icon("camera"),
          WORDS.start.camera,
        ),
        h(
          "button",
          { type: "button", class: "button", onclick: ways.pick },
          icon("picture"),
          WORDS.start.open,
        ),
      ),
      h("p", { class: "samples-word" }, WORDS.start.samples),
      h("div", { class: "samples" }, ...samples),
      h("p", { class: "promise" }, icon("lock"), WORDS.start.promise),
    ),
  );
}

export class Controls {
  /** @param {Ways} ways */
  constructor(ways) {
    this.home = iconButton("back", W.restart, ways.home);
    this.back = h("button", { type: "button", class: "chip", onclick: ways.back });
    this.status = h("span", { class: "chip status" });
    this.outline = iconButton("crop", W.outline, () => ways.outline(!this.#pressed), {
      "aria-pressed": "false",
    });
    this.pick = iconButton("picture", W.open, ways.pick);
    this.main = iconButton("camera", W.camera, ways.toggle, { class: "icon-button main" });
    this.flip = iconButton("flip", W.flip, ways.flip);
    this.time = h("output", { class: "chip time" });
    this.seek = h("input", {
      type: "range",
      class: "seek",
      min: "0",
      max: "1",
      step: "any",
      value: "0",
      "aria-label": W.seek,
    });
    this.top = h(
      "div",
      { class: "stage-top" },
      this.home,
      this.back,
      this.status,
      this.outline,
    );
    this.player = h("div", { class: "player" }, this.seek, this.time);
    this.bar = h("div", { class: "stage-bar" }, this.pick, this.main, this.flip);
  }

  get #pressed() {
    return this.outline.getAttribute("aria-pressed") === "true";
  }

  /**
   * @param {{mode: string, paused: boolean, cameras: number, behind: number}} now `behind`: pictures
   *   in the list that is behind the one shown.
   */
  show({ mode, paused, cameras, behind }) {
    const moving = mode === "camera" || mode === "video";
    this.home.hidden = mode === "empty";
    this.top.hidden = mode === "empty";
    this.bar.hidden = mode === "empty" || mode === "problem";
    this.outline.hidden = !moving && mode !== "picture";
    this.back.hidden = behind < 2;
    write(this.back, W.back(behind));
    this.flip.hidden = mode !== "camera" || cameras < 2;
    this.player.hidden = mode !== "video";
    const [name, words] = !moving
      ? ["camera", W.camera]
      : paused
        ? ["play", W.resume]
        : ["pause", W.pause];
    if (this.main.title !== words) {
      fill(this.main, icon(name));
      attribute(this.main, "aria-label", words);
      attribute(this.main, "title", words);
    }
  }

  /** @param {boolean} pressed */
  press(pressed) {
    this.outline.setAttribute("aria-pressed", String(pressed));
  }

  /** @param {string} text */
  say(text) {
    write(this.status, text);
    this.status.hidden = text === "";
  }

  /**
   * Keeps the slider with the video, and the video with the slider.
   *
   * @param {HTMLVideoElement} video
   */
  follow(video) {
    const show = () => {
      const all = Number.isFinite(video.duration) ? video.duration : 0;
      this.seek.max = String(all || 1);
      this.seek.value = String(video.currentTime);
      this.seek.style.setProperty("--at", String(all ? video.currentTime / all : 0));
      const text = `${clock(video.currentTime)} / ${clock(all)}`;
      write(this.time, text);
      attribute(this.seek, "aria-valuetext", text);
    };
    for (const type of ["timeupdate", "durationchange", "seeked"]) {
      video.addEventListener(type, show);
    }
    this.seek.addEventListener("input", () => (video.currentTime = Number(this.seek.value)));
  }
}
