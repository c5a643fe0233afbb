/** Why there is no camera picture: each reason told apart, as far as browsers let one. */

/** @typedef {{code: string, name: string}} Problem The name is the browser's own word. */

/**
 * Refusals that come faster than a person can answer were decided before.
 */
const ASKED_MS = 400;

/** @type {Record<string, string>} */
const BY_NAME = {
  NotFoundError: "camera-absent",
  DevicesNotFoundError: "camera-absent",
  NotReadableError: "camera-busy",
  TrackStartError: "camera-busy",
  AbortError: "camera-busy",
  OverconstrainedError: "camera-overconstrained",
  ConstraintNotSatisfiedError: "camera-overconstrained",
};

/**
 * @param {unknown} error What getUserMedia threw, or the lack of it.
 * @param {number} waited_ms
 * @returns {Promise<Problem>}
 */
export async function cameraProblem(error, waited_ms) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (!window.isSecureContext) return { code: "camera-insecure", name };
  if (!navigator.mediaDevices?.getUserMedia) return { code: "camera-unsupported", name };
  if (name === "NotAllowedError" || name === "SecurityError" || name === "PermissionDeniedError") {
    return { code: (await decided(waited_ms)) ? "camera-blocked" : "camera-refused", name };
  }
  return { code: BY_NAME[name] ?? "camera-failed", name };
}

/**
 * Whether the browser will not ask again.
 *
 * @param {number} waited_ms
 */
async function decided(waited_ms) {
  try {
    const asked = { name: /** @type {PermissionName} */ (/** @type {unknown} */ ("camera")) };
    const status = await navigator.permissions.query(asked);
    return status.state === "denied";
  } catch {
    return waited_ms < ASKED_MS; // browsers that do not tell
  }
}

/**
 * The browser, as far as the way to its settings goes.
 *
 * @returns {"android"|"ios-app"|"ios"|"firefox"|"safari"|"chrome"}
 */
export function platform() {
  const agent = navigator.userAgent;
  const touchMac = /Macintosh/.test(agent) && navigator.maxTouchPoints > 1; // an iPad says so
  if (/iPhone|iPad|iPod/.test(agent) || touchMac) return standalone() ? "ios-app" : "ios";
  if (/Android/.test(agent)) return "android";
  if (/Firefox\//.test(agent)) return "firefox";
  if (/Safari\//.test(agent) && !/Chrom(e|ium)\//.test(agent)) return "safari";
  return "chrome";
}

/** Whether this runs as an app from the home screen. */
export function standalone() {
  const ios = /** @type {{standalone?: boolean}} */ (navigator).standalone === true;
  return ios || window.matchMedia("(display-mode: standalone)").matches;
}
