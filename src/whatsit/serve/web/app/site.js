/** Files of the site that the app itself reads. */

import { WhatsitError } from "../core/errors.js";

/**
 * Throws download-failed, also where the server answers that there is no such file.
 *
 * @param {string} path Below the page.
 * @returns {Promise<Response>}
 */
export async function siteFile(path) {
  const failed = (/** @type {string} */ reason) =>
    new WhatsitError("download-failed", `${path} cannot be fetched: ${reason}`, {
      hint: "is the network there? What was used before works without one",
    });
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path);
  } catch (error) {
    throw failed(error instanceof Error ? error.message : String(error));
  }
  if (!response.ok) throw failed(`the server answers ${response.status}`);
  return response;
}

/** The app's version; empty where it cannot be had. @returns {Promise<string>} */
export async function appVersion() {
  try {
    return String((await (await siteFile("version.json")).json()).app);
  } catch {
    return ""; // nothing depends on it
  }
}
