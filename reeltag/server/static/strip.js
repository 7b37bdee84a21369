/**
 * `<moment-strip>`: thumbnails of an interval, side by side. It is a picture of what a text next to
 * it says, and hidden from screen readers.
 */

import { cellAt, cellsOf, rowsOf } from "./strip-cells.js";

/** @typedef {import("./strip-cells.js").Sprite} Sprite */
/** @typedef {import("./strip-cells.js").Cell} Cell */

/**
 * Return a thumbnail: an element that shows a part of a sprite.
 * @param {string} video
 * @param {Sprite} sprite
 * @returns {HTMLSpanElement}
 */
export function makeThumbnail(video, sprite) {
  const span = document.createElement("span");
  span.className = "strip-cell";
  span.style.backgroundImage = `url("/media/sprite?id=${encodeURIComponent(video)}")`;
  span.style.backgroundSize = `${sprite.columns * 100}% ${rowsOf(sprite) * 100}%`;
  span.style.aspectRatio = `${sprite.width} / ${sprite.height}`;
  return span;
}

/**
 * Let a thumbnail show another part.
 * @param {HTMLElement} span
 * @param {Cell} cell
 */
export function showCell(span, cell) {
  span.style.backgroundPosition = `${cell.x}% ${cell.y}%`;
}

export class MomentStrip extends HTMLElement {
  /** @type {number} thumbnails at most */
  most = 5;

  connectedCallback() {
    this.setAttribute("aria-hidden", "true");
  }

  /**
   * Show an interval; nothing where there is no sprite.
   * @param {{video: string, sprite: Sprite | null, start_s: number, end_s: number}} moment
   */
  show({ video, sprite, start_s, end_s }) {
    this.replaceChildren();
    if (sprite === null) return;
    for (const cell of cellsOf(sprite, start_s, end_s, this.most)) {
      const span = makeThumbnail(video, sprite);
      showCell(span, cell);
      this.append(span);
    }
  }
}

/**
 * Return an element with the thumbnail of one second.
 * @param {string} video
 * @param {Sprite} sprite
 * @param {number} second
 * @returns {HTMLSpanElement}
 */
export function thumbnailAt(video, sprite, second) {
  const span = makeThumbnail(video, sprite);
  showCell(span, cellAt(sprite, second));
  return span;
}

customElements.define("moment-strip", MomentStrip);
