/** IndexedDB as promises, with the errors of a browser told as ours. */

import { WhatsitError } from "../core/errors.js";

const PATIENCE_MS = 3000; // some browsers never answer, and the app is to start all the same

/** @typedef {(database: IDBDatabase) => void} Upgrade */

/**
 * The result of one request.
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Settles when all that a transaction does is on the disk, or nothing of it.
 * @param {IDBTransaction} transaction
 * @returns {Promise<void>}
 */
function done(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("it was given up"));
  });
}

/**
 * A database, opened again where the connection is lost: Safari ends it while the app sleeps, and
 * another window that brings a newer version asks for it.
 */
export class Database {
  #open;
  /** @type {IDBDatabase | null} */
  #database = null;
  /** @type {Promise<void> | null} */
  #opening = null;
  #closed = false;
  /** Why nothing can be kept; null if all is well. @type {WhatsitError | null} */
  problem = null;

  /** @param {() => Promise<IDBDatabase>} open Use `Database.open`. */
  constructor(open) {
    this.#open = open;
  }

  /**
   * The database of this name, its stores made where they are missing. Never fails, and takes no
   * longer than a person waits: a browser that keeps nothing gives a Database with a `problem`.
   * @param {string} name
   * @param {number} version
   * @param {Upgrade} upgrade
   * @returns {Promise<Database>}
   */
  static async open(name, version, upgrade) {
    const database = new Database(() => opened(name, version, upgrade));
    await database.#connection();
    return database;
  }

  /**
   * What `body` reads, of nothing but what is whole.
   * @template T
   * @param {string[]} stores
   * @param {T} without what a browser that keeps nothing has
   * @param {(transaction: IDBTransaction) => Promise<T>} body
   * @returns {Promise<T>}
   */
  async read(stores, without, body) {
    try {
      const transaction = await this.#transaction(stores, "readonly");
      return transaction === null ? without : await body(transaction);
    } catch (error) {
      throw translated(error, "what was kept cannot be read");
    }
  }

  /**
   * Does all that `body` asks for, or nothing. It may await nothing but requests.
   * @template T
   * @param {string[]} stores
   * @param {string} what is written, for an error
   * @param {(transaction: IDBTransaction) => T | Promise<T>} body
   * @returns {Promise<T>}
   */
  async write(stores, what, body) {
    let transaction;
    try {
      transaction = await this.#transaction(stores, "readwrite");
      if (transaction === null) throw this.problem ?? unavailable("it was closed");
      const finished = done(transaction);
      finished.catch(() => {}); // told below, by whichever of the two fails first
      const value = await body(transaction);
      await finished;
      return value;
    } catch (error) {
      abort(transaction);
      throw translated(transaction?.error ?? error, `${what} cannot be kept`);
    }
  }

  close() {
    this.#closed = true;
    this.#lost();
  }

  /**
   * Null where there is no database. A connection may be gone before the browser says so.
   * @param {string[]} stores
   * @param {IDBTransactionMode} mode
   * @returns {Promise<IDBTransaction | null>}
   */
  async #transaction(stores, mode) {
    const database = await this.#connection();
    try {
      return database && database.transaction(stores, mode);
    } catch (error) {
      if (nameOf(error) !== "InvalidStateError") throw error;
      this.#lost();
      const again = await this.#connection();
      return again && again.transaction(stores, mode);
    }
  }

  /** Waits for one that is being opened, but not for ever. @returns {Promise<IDBDatabase | null>} */
  async #connection() {
    if (this.#database === null && !this.#closed) {
      this.#opening ??= this.#connect();
      await this.#opening;
    }
    return this.#database;
  }

  /** Settles when it is open, or is not going to be, or after PATIENCE_MS: it may come later. */
  #connect() {
    const opening = this.#open().then(
      (database) => this.#found(database),
      (error) => {
        this.problem = unavailable(error);
      },
    );
    return new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
      const timer = setTimeout(() => {
        this.problem = unavailable("another window holds it, or the browser does not answer");
        resolve();
      }, PATIENCE_MS);
      void opening.then(() => {
        clearTimeout(timer);
        this.#opening = null;
        resolve();
      });
    });
  }

  /** @param {IDBDatabase} database */
  #found(database) {
    if (this.#closed) {
      database.close();
      return;
    }
    this.problem = null;
    this.#database = database;
    database.onversionchange = () => this.#lost();
    database.onclose = () => this.#lost();
  }

  #lost() {
    this.#database?.close();
    this.#database = null;
  }
}

/**
 * @param {string} name
 * @param {number} version
 * @param {Upgrade} upgrade
 * @returns {Promise<IDBDatabase>}
 */
async function opened(name, version, upgrade) {
  const request = indexedDB.open(name, version); // private windows may throw at this line
  request.onupgradeneeded = () => upgrade(request.result);
  try {
    return await result(request);
  } catch (error) {
    if (nameOf(error) !== "VersionError") throw error;
    throw new Error("another window brought a newer version of the app; reload this one");
  }
}

/** @param {IDBTransaction | null | undefined} transaction */
function abort(transaction) {
  try {
    transaction?.abort();
  } catch {
    // it has ended already
  }
}

/**
 * @param {unknown} error
 * @param {string} what
 * @returns {WhatsitError}
 */
function translated(error, what) {
  if (error instanceof WhatsitError) return error;
  if (nameOf(error) === "QuotaExceededError") {
    return new WhatsitError("storage-full", `${what}: the browser gives it no more room`, {
      expected: "free storage for this site",
      hint: "remove models or pictures that are not needed, or free space on the device",
    });
  }
  return unavailable(error, what);
}

/**
 * @param {unknown} reason
 * @param {string} [what]
 * @returns {WhatsitError}
 */
function unavailable(reason, what = "nothing can be kept in this browser") {
  const said = reason instanceof Error || reason instanceof DOMException ? reason.message : reason;
  return new WhatsitError("storage-unavailable", `${what}: ${String(said || nameOf(reason))}`, {
    expected: "a browser that keeps data for this site",
    hint: "private windows and blocked site data prevent it; everything else works without",
  });
}

/** @param {unknown} error */
function nameOf(error) {
  return error instanceof Error || error instanceof DOMException ? error.name : "";
}
