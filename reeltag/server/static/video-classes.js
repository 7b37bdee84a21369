/** The field below the lanes: shows another class, or makes a new one by its name. */
import { complete } from "./completion.js";
import { byId, toast } from "./dom.js";

/** @param {import("./video.js").VideoPage} page */
export function watchClasses(page) {
  const { model, view, line } = page;
  const field = /** @type {HTMLInputElement} */ (byId("class-name"));
  /** @param {string} name */
  const add = async (name) => {
    field.value = "";
    field.blur();
    const is_known = view.classes.includes(name);
    const added = await page.attempt(async () => {
      if (!is_known) return model.make(name);
      await model.add(name);
      return name;
    });
    if (!added) return;
    line.current = added;
    page.draw();
    line.lanes.find((of) => of.name === added)?.lane.scrollIntoView({ block: "nearest" });
    if (!is_known) toast(`New class: ${added}. Mark two moments of it: drag on its lane, then Y.`, { seconds: 10 });
  };
  complete(field, { names: () => view.classes, choose: add });
  byId("add-class").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = field.value.trim();
    const same = view.classes.find((of) => of.toLowerCase() === typed.toLowerCase());
    if (typed) add(same ?? typed);
  });
}
