/** What is seen of a file that has sound alone: how loud it is, from begin to end. */
import { h } from "./dom.js";
import { drawLoudness, surfaceOf, timelineColours } from "./timeline-draw.js";

/**
 * Returns the picture; it follows the time of its player.
 * @param {import("./player.js").VideoPlayer} player
 * @param {import("./views").VideoView} view
 * @param {AbortSignal} signal when something else is shown
 * @returns {HTMLElement}
 */
export function soundPicture(player, view, signal) {
  const canvas = h("canvas");
  const head = h("div", { class: "tl-head" });
  const picture = h("div", { class: "sound-picture", "aria-hidden": "true" }, canvas, head);
  const duration = view.card.duration_s ?? 1;
  const loudness = { hz: view.loudness_hz, db: view.loudness_db };
  const draw = () => {
    const surface = surfaceOf(canvas);
    if (surface && loudness.db.length) drawLoudness(surface, { span: { start: 0, end: duration }, loudness, colours: timelineColours() });
  };
  const size = new ResizeObserver(draw);
  size.observe(picture);
  signal.addEventListener("abort", () => size.disconnect());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw, { signal });
  player.addEventListener("time", () => {
    head.style.transform = `translateX(${(player.time / duration) * picture.clientWidth}px)`;
  }, { signal });
  return picture;
}
