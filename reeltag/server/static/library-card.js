/** A video of the library as a card: poster, length, name, strongest classes, state. */
import { address } from "./api.js";
import { h, icon } from "./dom.js";
import { clock, count, prob } from "./format.js";

/** @typedef {import("./views").VideoCard} VideoCard */

const STATES = {
  new: { words: "not extracted yet", kind: "", picture: "work" },
  error: { words: "failed", kind: "bad", picture: "warning" },
  missing: { words: "file is missing", kind: "warn", picture: "question" },
};

/**
 * Returns a card; without a video, what is there until it is known.
 * @param {VideoCard | undefined} card
 * @param {{ posters: boolean, tags: boolean, class_name: string }} how
 * @returns {HTMLElement}
 */
export function cardOf(card, { posters, tags, class_name }) {
  if (!card) {
    return h(
      "article",
      { class: `video-card ${tags ? "" : "without-tags"}`, "aria-busy": "true", "aria-label": "Loading" },
      posters && h("div", { class: "poster skeleton" }),
      h("div", { class: "about" }, h("div", { class: "name skeleton" }, "…")),
    );
  }
  const state = card.state === "extracted" ? undefined : STATES[card.state];
  const to = address("/video", { id: card.id, class: class_name });
  return h(
    "article",
    { class: `video-card ${card.state} ${tags ? "" : "without-tags"}` },
    posters && posterOf(card, state?.picture ?? "film"),
    h(
      "div",
      { class: "about" },
      h("a", { class: "name", href: to, title: card.name }, card.name),
      tags && h("ul", { class: "chips", "aria-label": "Strongest classes" }, ...card.tags.slice(0, 4).map((tag) => tagOf(tag, class_name))),
      h(
        "div",
        { class: "facts small-text muted" },
        state && h("span", { class: `chip ${state.kind}` }, state.words),
        card.reason ? h("span", { class: "reason", title: card.reason }, card.reason) : null,
        !posters && card.duration_s !== null && h("span", {}, clock(card.duration_s)),
        card.num_ratings ? h("span", { class: "chip accent" }, icon("check"), count(card.num_ratings, "rating")) : null,
      ),
    ),
  );
}

/** @param {import("./views").TagView} tag @param {string} class_name @returns {HTMLElement} */
function tagOf({ name, prob: value }, class_name) {
  const of = `${name}: probability ${prob(value)}`;
  return h("li", { class: `chip ${name === class_name ? "accent" : ""}`, title: of }, name);
}

/** @param {VideoCard} card @param {string} otherwise picture @returns {HTMLElement} */
function posterOf(card, otherwise) {
  const poster = h("div", { class: "poster" });
  if (card.has_poster) {
    const src = address("/media/poster", { id: card.id });
    const image = h("img", { src, alt: "", loading: "lazy", decoding: "async" });
    image.addEventListener("error", () => image.replaceWith(icon(otherwise, "large")));
    poster.append(image);
  } else poster.append(icon(card.state === "extracted" ? "sound" : otherwise, "large"));
  if (card.duration_s !== null) poster.append(h("span", { class: "length" }, clock(card.duration_s)));
  return poster;
}
