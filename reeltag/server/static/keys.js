/** The keys of a page, and the dialog that shows them; a key that is not in it does not exist.
 *
 *     addKeys("Ratings", [
 *       { keys: ["y", "Enter"], words: "yes", run: () => rate("yes") },
 *       { keys: ["shift+ArrowLeft"], words: "5 s back", run: (event) => ... , repeat: true },
 *     ]);                                                       // returns what takes them away
 *
 * Names are those of KeyboardEvent.key, letters in lower case, "shift+" before letters and named
 * keys ("?" and "+" come as they are typed). Keys do nothing where one types (Escape leaves a
 * field), in a dialog, or with ctrl, alt or cmd; Enter and space on a button or a link are the button's.
 */
import { byId, h, icon } from "./dom.js";

/**
 * @typedef {object} Key
 * @property {string[]} keys
 * @property {string} words what they do
 * @property {(event: KeyboardEvent) => void} run
 * @property {string} [shown] instead of the names of `keys`, such as "1 to 9"
 * @property {boolean} [repeat] whether a key that is held down counts again
 */

/** @type {{ group: string, keys: Key[] }[]} */
const groups = [];

/**
 * Adds keys of the page.
 * @param {string} group heading in the dialog
 * @param {Key[]} keys
 * @returns {() => void} takes them away again
 */
export function addKeys(group, keys) {
  const added = { group, keys };
  groups.push(added);
  return () => {
    groups.splice(groups.indexOf(added), 1);
  };
}

/**
 * Returns the name of what was pressed.
 * @param {Pick<KeyboardEvent, "key" | "shiftKey">} event
 * @returns {string}
 */
export function keyName({ key, shiftKey }) {
  const is_letter = key.length === 1 && key.toLowerCase() !== key.toUpperCase();
  const name = is_letter ? key.toLowerCase() : key;
  return shiftKey && (is_letter || key.length > 1) ? `shift+${name}` : name;
}

const SHOWN = new Map(
  Object.entries({
    " ": "space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc",
    Home: "Home", End: "End", PageUp: "Page ↑", PageDown: "Page ↓", Delete: "Del",
  }),
);

/**
 * Returns the name of a key as it is shown.
 * @param {string} name
 * @returns {string}
 */
export function shownKey(name) {
  const [last, ...before] = name === "+" ? ["+"] : name.split("+").reverse();
  const shown = SHOWN.get(last) ?? (last.length === 1 ? last.toUpperCase() : last);
  return [...before.map(() => "Shift"), shown].join(" + ");
}

/** @param {KeyboardEvent} event @returns {boolean} whether the key belongs to what has the focus */
function isTaken(event) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return true;
  const at = event.target;
  if (!(at instanceof HTMLElement)) return false;
  if (at.closest("dialog[open]") || at.isContentEditable) return true;
  if (at.matches("textarea, select")) return true;
  if (at instanceof HTMLInputElement) {
    if (!["checkbox", "radio", "range", "button"].includes(at.type)) return true;
    return at.type === "range" ? /^(Arrow|Home|End|Page)/.test(event.key) : event.key === " ";
  }
  return (event.key === "Enter" || event.key === " ") && at.closest("button, a, summary") !== null;
}

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.key === "Escape" && !event.defaultPrevented && event.target instanceof HTMLInputElement) {
    event.preventDefault(); // out of a field, back to the keys
    event.target.blur();
  }
  if (isTaken(event)) return;
  const name = keyName(event);
  for (const { keys } of [...groups].reverse()) {
    const found = keys.find((of) => of.keys.includes(name));
    if (found && (found.repeat || !event.repeat)) {
      event.preventDefault();
      found.run(event);
      return;
    }
  }
}

/** Shows all keys of this page in a dialog. */
function showKeys() {
  if (document.querySelector("dialog.keys")) return;
  const close = () => dialog.close();
  const sections = groups.map(({ group, keys }) =>
    h("section", {}, h("h3", {}, group), h("dl", {}, ...keys.flatMap(rowOf))),
  );
  const dialog = h(
    "dialog",
    { class: "keys", "aria-labelledby": "keys-title", on: { close: () => dialog.remove() } },
    h(
      "header",
      {},
      h("h2", { id: "keys-title" }, "Keys"),
      h("button", { class: "quiet icon", type: "button", "aria-label": "Close", on: { click: close } }, icon("cross")),
    ),
    h("div", { class: "keys-table" }, ...sections),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("keydown", (event) => event.key === "?" && close());
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {Key} key @returns {HTMLElement[]} */
function rowOf({ keys, words, shown }) {
  const names = shown ? [h("kbd", {}, shown)] : keys.flatMap((of, at) => [at ? " " : "", h("kbd", {}, shownKey(of))]);
  return [h("dt", {}, ...names), h("dd", {}, words)];
}

/** Lets keys work on this page; shell.js calls it. */
export function startKeys() {
  document.addEventListener("keydown", press);
  byId("keys-button").addEventListener("click", showKeys);
  const search = () => {
    const field = document.querySelector("search-box input");
    if (field instanceof HTMLInputElement) {
      field.focus();
      field.select();
    }
  };
  addKeys("Everywhere", [
    { keys: ["/"], words: "find a moment", run: search },
    { keys: ["?"], words: "these keys", run: showKeys },
  ]);
}
