/** Pictures to teach with: frames of the camera and files, as JPEG of a moderate size. */

const SHORT_SIDE = 320; // in pixels, unless the model takes more
const QUALITY = 0.92;
const EVERY_MS = 200;

/** @param {[number, number]} input of the model */
function shortSide(input) {
  return Math.max(SHORT_SIDE, ...input);
}

/**
 * What a video shows now, never mirrored.
 * @param {HTMLVideoElement} video
 * @param {[number, number]} input
 * @returns {Promise<Blob>}
 */
export function ofVideo(video, input) {
  return jpeg(video, video.videoWidth, video.videoHeight, input);
}

/**
 * A file, upright. Rejects for one that this browser cannot read.
 * @param {Blob} file
 * @param {[number, number]} input
 * @returns {Promise<Blob>}
 */
export async function ofFile(file, input) {
  const bitmap = await createImageBitmap(file);
  try {
    return await jpeg(bitmap, bitmap.width, bitmap.height, input);
  } finally {
    bitmap.close();
  }
}

/**
 * @param {CanvasImageSource} source
 * @param {number} width
 * @param {number} height
 * @param {[number, number]} input
 * @returns {Promise<Blob>}
 */
function jpeg(source, width, height, input) {
  const scale = Math.min(1, shortSide(input) / Math.min(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d", { alpha: false });
  if (!width || context === null) return Promise.reject(new Error("there is no picture"));
  context.fillStyle = "#fff"; // below what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    const take = (/** @type {Blob|null} */ blob) =>
      blob === null ? reject(new Error("the picture cannot be kept")) : resolve(blob);
    canvas.toBlob(take, "image/jpeg", QUALITY);
  });
}

/**
 * Makes a button that does something once when it is tapped, and again and again while it is held,
 * by hand or by the space bar or the enter key.
 * @param {HTMLElement} button
 * @param {{step: () => void, start?: () => void, end?: () => void}} ways
 */
export function holdable(button, { step, start = () => {}, end = () => {} }) {
  let timer = 0;
  const stop = () => {
    if (timer === 0) return;
    clearInterval(timer);
    timer = 0;
    delete button.dataset.held;
    end();
  };
  const begin = () => {
    if (timer !== 0) return;
    timer = window.setInterval(step, EVERY_MS);
    button.dataset.held = "";
    start();
    step();
  };
  button.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    // A finger that slides off the button still holds it.
    button.setPointerCapture(event.pointerId);
    begin();
  });
  for (const type of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
    button.addEventListener(type, stop);
  }
  button.addEventListener("keydown", (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault(); // else the key's click would come as well
    if (!event.repeat) begin();
  });
  button.addEventListener("keyup", (event) => {
    if (event.key === " " || event.key === "Enter") stop();
  });
  // What assistive technology presses comes as a click alone.
  button.addEventListener("click", (event) => {
    if (event.detail === 0 && timer === 0) step();
  });
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  window.addEventListener("blur", stop);
  return stop;
}
