/**
 * The first script of the page: starts the engine's worker, which takes longest to be ready. It
 * imports next to nothing, so that it runs before the other modules are there.
 */

import { firstBuild, threadsOf } from "../engine/builds.js";
import { startEarly } from "../engine/workers.js";
import { state } from "./state.js";

const threads = threadsOf(state.get("threads"));
const build = firstBuild(state.get("build"), threads);
if (build !== null) startEarly({ build, threads });
