/**
 * JSON as Python's json reads it: NaN and Infinity are numbers, nesting ends somewhere, and an
 * error says where it is in the same words.
 */

const MOST_LEVELS = 900; // Python's own end depends on its stack, and is near this
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const HEX = /[0-9a-fA-F]{4}/y;
/** @type {[string, unknown][]} */
const WORDS = [
  ["null", null],
  ["true", true],
  ["false", false],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
];
const ESCAPES = new Map(Object.entries({ b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }));
for (const sign of '"\\/') ESCAPES.set(sign, sign);

/** The text is no JSON. */
export class BadJSON extends Error {}

/**
 * The value that `text` writes. Throws BadJSON.
 * @param {string} text
 * @returns {unknown}
 */
export function parseJSON(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return new Parser(text).whole(); // slower, but knows Python's numbers and says what is wrong
  }
  checkLevels(value, 0);
  return value;
}

/**
 * @param {unknown} value
 * @param {number} level
 */
function checkLevels(value, level) {
  if (value === null || typeof value !== "object") return;
  if (level === MOST_LEVELS) throw tooDeep(Array.isArray(value) ? "array" : "object");
  for (const part of Object.values(value)) checkLevels(part, level + 1);
}

/**
 * @param {string} kind
 * @returns {BadJSON}
 */
function tooDeep(kind) {
  const message = `maximum recursion depth exceeded while decoding a JSON ${kind}`;
  return new BadJSON(`${message} from a unicode string`);
}

/** Reads one text from its beginning. */
class Parser {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.position = 0;
    this.level = 0;
  }

  /** @returns {unknown} */
  whole() {
    this.take(SPACE);
    const value = this.value();
    this.take(SPACE);
    if (this.position < this.text.length) throw this.bad("Extra data");
    return value;
  }

  /** @returns {unknown} */
  value() {
    const sign = this.text[this.position];
    if (sign === '"') return this.string();
    if (sign === "{") return this.nested("object", () => this.object());
    if (sign === "[") return this.nested("array", () => this.array());
    const number = this.take(NUMBER);
    if (number !== "") return Number(number);
    const word = WORDS.find(([name]) => this.text.startsWith(name, this.position));
    if (word === undefined) throw this.bad("Expecting value");
    this.position += word[0].length;
    return word[1];
  }

  /**
   * @param {string} kind
   * @param {() => unknown} read
   * @returns {unknown}
   */
  nested(kind, read) {
    if (this.level === MOST_LEVELS) throw tooDeep(kind);
    this.level += 1;
    this.position += 1;
    this.take(SPACE);
    const value = read();
    this.level -= 1;
    return value;
  }

  /** @returns {unknown[]} */
  array() {
    /** @type {unknown[]} */
    const items = [];
    if (this.taken("]")) return items;
    for (;;) {
      items.push(this.value());
      this.take(SPACE);
      if (this.taken("]")) return items;
      if (!this.taken(",")) throw this.bad("Expecting ',' delimiter");
      this.take(SPACE);
    }
  }

  /** @returns {Record<string, unknown>} */
  object() {
    /** @type {[string, unknown][]} */
    const items = [];
    if (this.taken("}")) return {};
    for (;;) {
      if (this.text[this.position] !== '"') {
        throw this.bad("Expecting property name enclosed in double quotes");
      }
      const key = this.string();
      this.take(SPACE);
      if (!this.taken(":")) throw this.bad("Expecting ':' delimiter");
      this.take(SPACE);
      items.push([key, this.value()]);
      this.take(SPACE);
      if (this.taken("}")) return Object.fromEntries(items);
      if (!this.taken(",")) throw this.bad("Expecting ',' delimiter");
      this.take(SPACE);
    }
  }

  /** @returns {string} */
  string() {
    const begin = this.position;
    const parts = [];
    this.position += 1;
    for (;;) {
      parts.push(this.take(PLAIN));
      if (this.taken('"')) return parts.join("");
      if (this.position >= this.text.length) {
        throw this.bad("Unterminated string starting at", begin);
      }
      if (!this.taken("\\")) throw this.bad("Invalid control character at");
      parts.push(this.escape(begin));
    }
  }

  /**
   * @param {number} begin of the string
   * @returns {string}
   */
  escape(begin) {
    const sign = this.text[this.position];
    if (sign === undefined) throw this.bad("Unterminated string starting at", begin);
    const known = ESCAPES.get(sign);
    if (known === undefined && sign !== "u") {
      throw this.bad("Invalid \\escape", this.position - 1);
    }
    this.position += 1;
    if (known !== undefined) return known;
    const code = this.take(HEX);
    if (code === "") throw this.bad("Invalid \\uXXXX escape", this.position - 1);
    return String.fromCharCode(parseInt(code, 16));
  }

  /**
   * What a sticky pattern finds here, which may be nothing.
   * @param {RegExp} pattern
   * @returns {string}
   */
  take(pattern) {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.position += found.length;
    return found;
  }

  /**
   * @param {string} sign
   * @returns {boolean}
   */
  taken(sign) {
    const is = this.text[this.position] === sign;
    if (is) this.position += 1;
    return is;
  }

  /**
   * @param {string} what
   * @param {number} [position]
   * @returns {BadJSON}
   */
  bad(what, position = this.position) {
    const before = this.text.slice(0, position);
    const line = before.split("\n").length;
    const place = Array.from(before).length; // Python counts characters, not UTF-16 units
    const column = Array.from(before.slice(before.lastIndexOf("\n") + 1)).length + 1;
    return new BadJSON(`${what}: line ${line} column ${column} (char ${place})`);
  }
}
