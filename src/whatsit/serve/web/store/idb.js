/** IndexedDB as promises, with the errors of a browser told as ours. */

import { WhatsitError } from "../core/errors.js";

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

/** A database that is open, or the reason why there is none. */
export class Database {
  /**
   * @param {IDBDatabase | null} database
   * @param {WhatsitError | null} problem why nothing can be kept; null if all is well
   */
  constructor(database, problem) {
    this.database = database;
    this.problem = problem;
    if (database !== null) {
      database.onversionchange = () => this.#lost("another window brought a newer version");
      database.onclose = () => this.#lost("the browser closed it");
    }
  }

  /**
   * The database of this name, its stores made where they are missing. Never fails: a browser
   * that keeps nothing gives a Database with a `problem`.
   * @param {string} name
   * @param {number} version
   * @param {(database: IDBDatabase, transaction: IDBTransaction, from: number) => void} upgrade
   * @returns {Promise<Database>}
   */
  static async open(name, version, upgrade) {
    try {
      const request = indexedDB.open(name, version); // private windows may throw at this line
      request.onupgradeneeded = (event) => {
        const transaction = /** @type {IDBTransaction} */ (request.transaction);
        upgrade(request.result, transaction, event.oldVersion);
      };
      const blocked = new Promise((_, reject) => {
        request.onblocked = () => reject(new Error("another window holds an older version"));
      });
      return new Database(await Promise.race([result(request), blocked]), null);
    } catch (error) {
      return new Database(null, unavailable(error));
    }
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
    if (this.database === null) return without;
    try {
      return await body(this.database.transaction(stores, "readonly"));
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
    if (this.database === null) throw this.problem ?? unavailable("it was never opened");
    let transaction;
    try {
      transaction = this.database.transaction(stores, "readwrite");
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
    this.database?.close();
  }

  /** @param {string} reason */
  #lost(reason) {
    this.database?.close();
    this.database = null;
    this.problem = unavailable(reason);
  }
}

/** @param {IDBTransaction | undefined} transaction */
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
