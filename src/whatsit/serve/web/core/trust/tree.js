/** Answers that are less exact and more often right: whatsit.trust.tree. */

/** @typedef {import("../labels.js").Labels} Labels */
/** @typedef {import("../results.js").Ancestor} Ancestor */
/**
 * A class or one of its ancestors: how likely it is, and how far below the root.
 * @typedef {{id: string, score: number, depth: number}} Step
 */

export const PROBABLY = 0.5; // what is likelier than not is worth a "probably"
const EVERYTHING = ""; // the id above all roots, where a tree has several
const MOST = 0.75; // of the classes: to name what more of them are says nothing

/**
 * From the best class to the root, with the scores of all classes below each. The last one is right
 * whatever the class. Empty for a model without a tree.
 * @param {Labels} labels
 * @param {Float32Array} scores
 * @returns {Step[]}
 */
export function wayUp(labels, scores) {
  if (labels.parents.length === 0) return [];
  const best = scores.reduce((found, score, index) => (score > scores[found] ? index : found), 0);
  const above = ancestorsOf(labels, best);
  /** @type {Step[]} */
  const steps = [{ id: leaf(labels, best), score: scores[best], depth: above.length }];
  above.forEach((node, place) => {
    const depth = above.length - 1 - place;
    steps.push({ id: node, score: inside(labels, scores, node), depth });
  });
  return steps;
}

/**
 * The first step above `limit`; the root, which is always right, where none is.
 * @param {Step[]} steps
 * @param {number} limit
 * @returns {Step | null}
 */
export function deepest(steps, limit) {
  return steps.find((step) => step.score > limit) ?? steps[steps.length - 1] ?? null;
}

/**
 * Whether it says something: "a thing" is right, and does not.
 * @param {Labels} labels
 * @param {Step} step
 * @returns {boolean}
 */
export function tells(labels, step) {
  const below = labels.below.get(step.id)?.length ?? 0;
  return step.id !== EVERYTHING && below <= MOST * labels.names.length;
}

/**
 * A step as people read it.
 * @param {Labels} labels
 * @param {Step} step
 * @returns {Ancestor}
 */
export function named(labels, { id, score }) {
  const node = labels.tree.get(id);
  if (node !== undefined) return { id, label: node[0], score };
  const index = labels.synsets.indexOf(id);
  return { id, label: index < 0 ? id : labels.names[index], score };
}

/**
 * @param {Labels} labels
 * @param {Float32Array} scores
 * @param {string} node
 * @returns {number}
 */
function inside(labels, scores, node) {
  if (node === EVERYTHING) return scores.reduce((sum, score) => sum + score, 0);
  return (labels.below.get(node) ?? []).reduce((sum, index) => sum + scores[index], 0);
}

/**
 * The ancestors of a class, up to one that it shares with all others.
 * @param {Labels} labels
 * @param {number} index
 * @returns {string[]}
 */
function ancestorsOf(labels, index) {
  const chain = labels.ancestors(index).filter((node) => node !== "");
  const below = labels.below.get(chain[chain.length - 1] ?? "")?.length ?? 0;
  if (chain.length === 0 || below < labels.names.length) chain.push(EVERYTHING);
  return chain;
}

/**
 * @param {Labels} labels
 * @param {number} index
 * @returns {string}
 */
function leaf(labels, index) {
  return labels.synset(index) || labels.names[index];
}
