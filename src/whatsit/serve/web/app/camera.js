/** The camera: which one, its start inside a tap, and everything that can take it away. */

import { cameraProblem } from "./camera_problems.js";

// Classifying needs no more; a phone spares its battery.
const SIZE = { width: { ideal: 640 }, height: { ideal: 480 } };
const MUTED_MS = 1500; // shorter ones come when a phone turns, or another tab lets go

/**
 * Events: `change` (running, stopped, another camera) and `problem` (detail: a Problem) when the
 * camera goes while it runs.
 */
export class Camera extends EventTarget {
  /** @type {MediaStream|null} */
  stream = null;
  /** @type {MediaDeviceInfo[]} */
  devices = [];
  #calls = 0;

  /** @returns {MediaStreamTrack|null} */
  get track() {
    return this.stream?.getVideoTracks()[0] ?? null;
  }

  /** Whether it looks at the person who holds the phone: shown mirrored then, never classified so. */
  get front() {
    const facing = this.track?.getSettings().facingMode;
    if (facing) return facing === "user";
    return /\b(front|user|facetime)\b/i.test(this.track?.label ?? "");
  }

  /**
   * The stream of one camera. Raises a Problem; the camera before is let go first, since many
   * phones open only one.
   *
   * @param {{facing: string, device: string|null}} wanted
   * @returns {Promise<MediaStream>}
   */
  async start(wanted) {
    this.stop();
    const call = ++this.#calls;
    const asked_ms = performance.now();
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await opened(wanted);
    } catch (error) {
      const problem = await cameraProblem(error, performance.now() - asked_ms);
      if (call !== this.#calls) throw replaced(); // nobody waits for this one
      throw problem;
    }
    // Names of cameras are told only to those who may use one.
    const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    if (call !== this.#calls) {
      stop(stream); // stopped, or asked again, while the person was deciding
      throw replaced();
    }
    this.devices = all.filter((device) => device.kind === "videoinput");
    this.stream = stream;
    this.#watch(stream);
    this.dispatchEvent(new Event("change"));
    return stream;
  }

  stop() {
    this.#calls++;
    if (this.stream === null) return;
    const stream = this.stream;
    this.stream = null;
    stop(stream);
    this.dispatchEvent(new Event("change"));
  }

  /** @param {MediaStream} stream */
  #watch(stream) {
    const track = stream.getVideoTracks()[0];
    if (!track) return;
    const lost = (/** @type {string} */ code) => {
      if (this.stream !== stream) return;
      if (code === "camera-unplugged") this.stop();
      this.dispatchEvent(new CustomEvent("problem", { detail: { code, name: "" } }));
    };
    track.addEventListener("ended", () => lost("camera-unplugged"));
    let timer = 0;
    track.addEventListener("mute", () => {
      timer = window.setTimeout(() => lost("camera-muted"), MUTED_MS);
    });
    track.addEventListener("unmute", () => {
      clearTimeout(timer);
      if (this.stream === stream) this.dispatchEvent(new Event("back"));
    });
  }
}

/**
 * @param {{facing: string, device: string|null}} wanted
 * @returns {Promise<MediaStream>}
 */
async function opened({ facing, device }) {
  const media = navigator.mediaDevices;
  const which = device ? { deviceId: { exact: device } } : { facingMode: { ideal: facing } };
  try {
    return await media.getUserMedia({ video: { ...SIZE, ...which }, audio: false });
  } catch (error) {
    const name = error instanceof Error ? error.name : "";
    // The camera that was chosen once is no longer there: any other will do.
    const gone = device !== null && (name === "OverconstrainedError" || name === "NotFoundError");
    if (!gone) throw error;
    return media.getUserMedia({ video: { ...SIZE, facingMode: { ideal: facing } }, audio: false });
  }
}

function replaced() {
  return new DOMException("another camera was asked for", "AbortError");
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}
