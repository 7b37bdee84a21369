/** What every page has: search with completion, jobs, keys, and what notes offer to do. */
import { errorWords, send } from "./api.js";
import { toast } from "./dom.js";
import "./jobs.js";
import { startKeys } from "./keys.js";
import "./search-box.js";

startKeys();
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-make-curves]"))) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await send("POST", "/api/curves");
      button.textContent = "At work: see above";
    } catch (error) {
      button.disabled = false;
      toast(errorWords(error), { kind: "bad" });
    }
  });
}
