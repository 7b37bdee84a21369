/** Thumbnails of a video, cut out of its sheet (/media/sprite).
 *
 *     const picture = thumbnail(sprite, id, 12.5, 160);     // an element, 160 px wide
 *     moveThumbnail(picture, sprite, 13.0);
 */
import { address } from "./api.js";
import { h } from "./dom.js";
import { cellAt, sheetOf } from "./strip-cells.js";

/** @typedef {import("./strip-cells.js").Sprite} Sprite */

/**
 * Returns the thumbnail of a time.
 * @param {Sprite} sprite
 * @param {string} video id
 * @param {number} time seconds
 * @param {number} [width] pixels; none = as wide as what it is in
 * @returns {HTMLElement}
 */
export function thumbnail(sprite, video, time, width) {
  const { columns, rows } = sheetOf(sprite);
  const style = {
    "--ratio": String(sprite.width / sprite.height),
    "background-image": `url("${address("/media/sprite", { id: video })}")`,
    "background-size": `${100 * columns}% ${100 * rows}%`,
    ...(width === undefined ? {} : { "inline-size": `${width}px` }),
  };
  const picture = h("span", { class: "thumbnail", style });
  moveThumbnail(picture, sprite, time);
  return picture;
}

/**
 * Lets a thumbnail show another time.
 * @param {HTMLElement} picture
 * @param {Sprite} sprite
 * @param {number} time seconds
 */
export function moveThumbnail(picture, sprite, time) {
  showCell(picture, cellAt(sprite, time));
}

/**
 * Lets a thumbnail show another part of its sheet.
 * @param {HTMLElement} picture
 * @param {import("./strip-cells.js").Cell} cell
 */
export function showCell(picture, { x, y }) {
  picture.style.backgroundPosition = `${x}% ${y}%`;
}
