/** What every page has: search with completion, jobs, keys. */
import "./jobs.js";
import "./search-box.js";
import { startKeys } from "./keys.js";

startKeys();
