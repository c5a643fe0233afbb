/** Why there is no camera picture, and what to do about it: the sentences of the cards. */

/** @typedef {{title: string, text: string, retry: string|null}} ProblemWords */

/** @type {Record<string, ProblemWords>} */
export const PROBLEMS = {
  "camera-refused": {
    title: "The camera was not allowed",
    text: "Without your permission there is no live picture. Press the button and choose “Allow”.",
    retry: "Ask again",
  },
  "camera-blocked": {
    title: "The camera is blocked for this page",
    text: "The browser no longer asks. To allow it again:",
    retry: "I have allowed it",
  },
  "camera-absent": {
    title: "No camera found",
    text: "Connect one and try again. Pictures and videos work without.",
    retry: "Try again",
  },
  "camera-busy": {
    title: "The camera is in use",
    text: "Another app or tab has it, or it did not start. Close that one, then try again.",
    retry: "Try again",
  },
  "camera-unplugged": {
    title: "The camera is gone",
    text: "It was unplugged, or the system took it away.",
    retry: "Start it again",
  },
  "camera-muted": {
    title: "The camera sends no picture",
    text: "The system has paused it: a call, a privacy switch, or a closed lid. It goes on by itself once that ends.",
    retry: "Start it again",
  },
  "camera-overconstrained": {
    title: "No camera fits",
    text: "None of the cameras has what was asked for. Any camera will do:",
    retry: "Use any camera",
  },
  "camera-insecure": {
    title: "The camera needs a secure page",
    text: "Browsers open it only on https:// or on localhost. Open this page over https, for instance with “whatsit serve --https”, or on this machine as http://localhost.",
    retry: null,
  },
  "camera-unsupported": {
    title: "This browser gives no camera",
    text: "On iPhone and iPad, apps on the home screen have it from iOS 13.4 on; on older ones open the page in Safari. Elsewhere a newer browser will do.",
    retry: null,
  },
  "camera-failed": {
    title: "The camera did not start",
    text: "The browser gave no reason that is known.",
    retry: "Try again",
  },
};

/** How to allow the camera again, by platform(). @type {Record<string, string[]>} */
export const ALLOW_AGAIN = {
  android: [
    "Tap the icon left of the address, then “Permissions”.",
    "Set “Camera” to “Allow”.",
    "If it is missing: Android settings, Apps, your browser, Permissions, Camera.",
  ],
  ios: [
    "Tap the page menu left of the address, then “Website Settings”.",
    "Set “Camera” to “Allow” or “Ask”.",
    "If that does not help: Settings, Apps, Safari, Camera.",
  ],
  "ios-app": [
    "Open the Settings of the device, then Apps, Safari, Camera: “Ask” or “Allow”.",
    "Close this app, and open it again.",
    "If it still does not ask: remove it from the home screen, open the page in Safari, allow the camera there, and add it again.",
  ],
  firefox: [
    "Click the crossed-out camera left of the address.",
    "Remove “Blocked” beside “Use the camera”.",
  ],
  safari: [
    "In the menu Safari choose “Settings for This Website”.",
    "Set “Camera” to “Allow” or “Ask”.",
  ],
  chrome: [
    "Click the icon left of the address, then “Site settings”.",
    "Set “Camera” to “Allow”.",
  ],
};
