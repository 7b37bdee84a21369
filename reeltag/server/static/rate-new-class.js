/** The dialog that makes a class: its name, and the video in which two moments of it are marked. */
import { address, errorWords, getJson, send } from "./api.js";
import { h, icon } from "./dom.js";

/** @typedef {import("./views").VideoList} VideoList */

const MOST = 200;

/** Ask for the name of a new class, make it, and go to the page of a video to mark moments of it. */
export function askNewClass() {
  if (document.querySelector("dialog.new-class")) return;
  const name = h("input", { name: "class", required: true, maxlength: 200, autocomplete: "off", "aria-describedby": "class-problem" });
  const video = h("select", { name: "video" });
  const problem = h("p", { id: "class-problem", class: "field-error", role: "alert" });
  const make = h("button", { class: "primary" }, "Make it, and mark moments");
  const close = () => dialog.close();
  const form = h(
    "form",
    { class: "stack tight" },
    h("label", { class: "above" }, "Name of the class", name),
    h("label", { class: "above" }, "A video that it is in", video),
    h("p", { class: "muted small-text" }, "Next, mark two moments of it in the video: A begins one at the play head."),
    problem,
    h("footer", {}, h("button", { type: "button", on: { click: close } }, "Cancel"), make),
  );
  const dialog = h(
    "dialog",
    { class: "new-class", "aria-labelledby": "class-title", on: { close: () => dialog.remove() } },
    h("header", {}, h("h2", { id: "class-title" }, "New class"), h("button", { type: "button", class: "quiet icon", "aria-label": "Close", on: { click: close } }, icon("cross"))),
    form,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    make.disabled = true;
    problem.textContent = "";
    try {
      const made = await send("POST", "/api/classes", { name: name.value.trim() });
      location.assign(video.value ? address("/video", { id: video.value, class: made.name }) : "/");
    } catch (error) {
      problem.textContent = errorWords(error);
      make.disabled = false;
      name.focus();
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  name.focus();
  void fillVideos(video);
}

/** @param {HTMLSelectElement} select */
async function fillVideos(select) {
  try {
    /** @type {VideoList} */
    const list = await getJson("/api/videos", { limit: MOST });
    select.append(...list.videos.map((of) => h("option", { value: of.id }, of.name)));
    if (list.total > list.videos.length) select.append(h("option", { value: "" }, "another one: choose it in the library"));
  } catch {
    select.append(h("option", { value: "" }, "choose it in the library"));
  }
}
