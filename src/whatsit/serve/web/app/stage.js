/**
 * The stage: the one surface that shows the camera, a picture or a video, and the camera behind it.
 *
 * A view takes it with `mount(element)` when it is shown. `start()` opens the camera (inside a tap),
 * `take()` gives what is shown now for Engine.classify or .embed, `stop()` lets the camera go. What
 * keeps the camera away is told on the stage itself. Events: `change`.
 */

import { Camera } from "./camera.js";
import { Capture } from "./capture.js";
import { problemCard } from "./cards.js";
import { attribute, fill, h } from "./dom.js";
import { Frame } from "./frame.js";
import { Awake } from "./wake.js";
import { WORDS } from "./words.js";

/** @typedef {"empty"|"waiting"|"camera"|"video"|"picture"|"problem"} Mode */

export class Stage extends EventTarget {
  /** @type {Mode} */
  mode = "empty";
  paused = false;
  camera = new Camera();
  capture = new Capture();
  /** What a person may do instead of using the camera, on a card that says it cannot be used. */
  instead = /** @type {(() => void)|null} */ (null);
  /** The rule of the model, for the place of the picture before the first answer. */
  rule = "crop";
  #awake = new Awake();
  #again = false; // the camera ran when the page was hidden
  #chosen = false;
  #frame = new Frame(() => this.#resized());

  /** @param {import("./state.js").State} state */
  constructor(state) {
    super();
    this.state = state;
    this.video = this.#frame.video;
    this.frame = this.#frame.element;
    this.message = h("div", { class: "stage-message" });
    this.element = h("div", { class: "stage" }, this.frame, this.message);
    this.#wire();
    this.#become("empty");
  }

  /** @param {Element} into */
  mount(into) {
    into.prepend(this.element);
    if (this.mode === "camera" && !this.paused) this.#play(); // moving it has paused it
    this.lay();
  }

  /** Opens the camera. False where there is none: the stage then says why. */
  async start() {
    this.clear();
    this.#become("waiting");
    const wanted = { facing: this.state.get("facing"), device: this.state.get("device") };
    try {
      this.video.srcObject = await this.camera.start(wanted);
    } catch (error) {
      const problem = /** @type {import("./camera_problems.js").Problem} */ (error);
      if (problem.name === "AbortError" && !problem.code?.startsWith?.("camera")) return false;
      this.show(problem);
      return false;
    }
    this.paused = false;
    this.#become("camera");
    this.#visibility(); // it may have been hidden while the person was deciding
    await this.#play();
    return true;
  }

  /** The other camera: of several the next one, else the other side of the phone. */
  flip() {
    const devices = this.camera.devices;
    const now = this.camera.track?.getSettings();
    if (devices.length > 2 || !now?.facingMode) {
      const place = devices.findIndex((device) => device.deviceId === now?.deviceId);
      this.state.set("device", devices[(place + 1) % devices.length]?.deviceId || null);
    } else {
      this.state.set("facing", this.camera.front ? "environment" : "user");
      this.state.set("device", null);
    }
  }

  /** The camera was chosen anew: once it is known which, however many settings that changed. */
  #otherCamera() {
    if (this.#chosen || (this.mode !== "camera" && this.mode !== "waiting")) return;
    this.#chosen = true;
    queueMicrotask(() => {
      this.#chosen = false;
      if (this.mode === "camera" || this.mode === "waiting") void this.start();
    });
  }

  pause() {
    this.paused = true;
    this.video.pause();
    this.#changed();
  }

  async resume() {
    this.paused = false;
    await this.#play();
    this.#changed();
  }

  /** Lets the camera go and shows nothing. */
  stop() {
    this.clear();
    this.#become("empty");
  }

  /**
   * What is shown now, never mirrored, for Engine.classify and .embed.
   */
  take() {
    return this.capture.take(this.video);
  }

  /**
   * @param {Blob} blob
   * @param {string} words What it shows, for those who do not see it.
   */
  showPicture(blob, words) {
    this.clear();
    this.#frame.showImage(blob, words);
    this.#become("picture");
  }

  /** @param {Blob} blob */
  showVideo(blob) {
    this.clear();
    this.#frame.showVideo(blob);
    this.paused = false;
    this.#become("video");
    return this.#play();
  }

  /**
   * Instead of the picture, why there is none.
   *
   * @param {import("./camera_problems.js").Problem} problem
   */
  show(problem) {
    if (problem.code !== "camera-muted") this.clear(); // that one may come back by itself
    this.#tell(
      problemCard(problem, {
        retry: () => {
          if (problem.code === "camera-overconstrained") this.state.set("device", null);
          void this.start();
        },
        instead: this.instead,
      }),
    );
  }

  /**
   * Instead of a file, why it cannot be shown.
   *
   * @param {Node} card
   */
  explain(card) {
    this.clear();
    this.#tell(card);
  }

  /** @param {Node} card */
  #tell(card) {
    this.#become("problem");
    fill(this.message, card);
  }

  /** Takes down whatever is shown. */
  clear() {
    this.#again = false;
    this.camera.stop();
    this.#frame.empty();
    fill(this.message);
  }

  /**
   * Draws the part that the model sees.
   *
   * @param {import("./types.js").Crop|null} crop Null hides it.
   */
  drawOutline(crop) {
    this.#frame.drawOutline(crop, this.mirrored);
  }

  get mirrored() {
    return this.mode === "camera" && this.camera.front;
  }

  /** Places the picture anew: the stage, the picture or the rule has changed. */
  lay() {
    const { clientWidth: width, clientHeight: height } = this.element;
    this.#frame.lay({ width, height }, this.rule, this.mode === "camera");
  }

  #resized() {
    this.lay();
    if (this.mode === "picture") this.#changed(); // only now there is a place for what lies over it
  }

  async #play() {
    try {
      await this.video.play();
    } catch (error) {
      // Another source was set meanwhile, or a phone that saves power wants a tap for it.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.pause();
    }
  }

  #wire() {
    for (const key of ["facing", "device"]) this.state.on(key, () => this.#otherCamera());
    new ResizeObserver(() => this.lay()).observe(this.element);
    this.camera.addEventListener("problem", (event) => {
      this.show(/** @type {CustomEvent} */ (event).detail);
    });
    this.camera.addEventListener("back", () => {
      if (this.mode === "problem") this.#become("camera");
    });
    document.addEventListener("visibilitychange", () => this.#visibility());
  }

  /** A page that nobody sees has no business with the camera. */
  #visibility() {
    if (document.visibilityState === "hidden" && this.mode === "camera") {
      this.camera.stop();
      this.#again = true;
      this.#changed();
    } else if (document.visibilityState === "visible" && this.#again) {
      const paused = this.paused;
      void this.start().then((started) => started && paused && this.pause());
    }
  }

  /** @param {Mode} mode */
  #become(mode) {
    this.mode = mode;
    this.element.dataset.mode = mode;
    const moves = mode === "camera" || mode === "video";
    this.#frame.reveal(moves ? "video" : mode === "picture" ? "image" : null);
    if (mode === "waiting") fill(this.message, h("p", { class: "waiting" }, WORDS.stage.waiting));
    else if (mode !== "problem") fill(this.message);
    this.lay();
    this.#changed();
  }

  #changed() {
    attribute(this.element, "data-mirrored", this.mirrored);
    attribute(this.element, "data-paused", this.paused);
    void this.#awake.want(this.mode === "camera" && !this.paused && this.camera.stream !== null);
    this.dispatchEvent(new Event("change"));
  }
}
