/** The search field of every page: a class, completed while one types; or a text. */
import { address, project } from "./api.js";
import { complete } from "./completion.js";
import { toast } from "./dom.js";
import { fitting } from "./format.js";

class SearchBox extends HTMLElement {
  connectedCallback() {
    const [input, form] = [this.querySelector("input"), this.querySelector("form")];
    const known = project();
    if (!input || !form || !known) return;
    const query = new URLSearchParams(location.search);
    if (location.pathname === "/search") input.value = query.get("class") ?? query.get("text") ?? "";
    const go = (/** @type {object} */ params) => location.assign(address("/search", params));
    complete(input, { names: () => known.classes, choose: (name) => go({ class: name }) });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const typed = input.value.trim();
      const same = known.classes.find((name) => name.toLowerCase() === typed.toLowerCase());
      if (!typed) return;
      if (same) go({ class: same });
      else if (known.has_text_search) go({ text: typed });
      else if (fitting(known.classes, typed, 1).length) go({ class: fitting(known.classes, typed, 1)[0] });
      else toast(`No class is called “${typed}”. Type fewer letters, or choose one of the list.`);
    });
  }
}
customElements.define("search-box", SearchBox);
