/**
 * What goes wrong on purpose, with a code, what was expected and a hint: errors.py of the package.
 */

/** @typedef {{code: string, message: string, expected: string, hint: string}} ErrorJSON */
/** @typedef {{expected?: string, hint?: string}} More */

export const GET_IT_AGAIN = "download or copy it again";

export class WhatsitError extends Error {
  /**
   * @param {string} code as in the tree of errors.py: model-damaged, wrong-usage, …
   * @param {string} message what is wrong, with the value
   * @param {More} [more]
   */
  constructor(code, message, { expected = "", hint = "" } = {}) {
    super(message);
    this.name = "WhatsitError";
    this.code = code;
    this.expected = expected;
    this.hint = hint;
  }

  /**
   * The same error, with what it is about before its message.
   * @param {string} what
   * @returns {WhatsitError}
   */
  about(what) {
    const { code, message, expected, hint } = this;
    return new WhatsitError(code, `${what}: ${message}`, { expected, hint });
  }

  /** @returns {ErrorJSON} */
  toJSON() {
    const { code, message, expected, hint } = this;
    return { code, message, expected, hint };
  }

  /**
   * The error that `toJSON` wrote, since a class does not survive postMessage.
   * @param {ErrorJSON} json
   * @returns {WhatsitError}
   */
  static from({ code, message, expected, hint }) {
    return new WhatsitError(code, message, { expected, hint });
  }
}

/**
 * A model cut short, altered, or no model at all.
 * @param {string} message
 * @param {More} [more]
 * @returns {WhatsitError}
 */
export function damaged(message, more) {
  return new WhatsitError("model-damaged", message, more);
}

/**
 * A valid model that is no image classifier of ours.
 * @param {string} message
 * @param {More} [more]
 * @returns {WhatsitError}
 */
export function unsupported(message, more) {
  return new WhatsitError("model-unsupported", message, more);
}

/**
 * A model of which nobody can know the labels and the preprocessing.
 * @param {string} message
 * @param {More} [more]
 * @returns {WhatsitError}
 */
export function withoutMetadata(message, more) {
  return new WhatsitError("model-without-metadata", message, more);
}
