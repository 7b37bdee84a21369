/** Thumbnails of a video, cut out of its sheet (/media/sprite).
 *
 *     const picture = thumbnail(sprite, id, 12.5, 160);     // an element, 160 px wide
 *     moveThumbnail(picture, sprite, 13.0, 160);
 *     strip.append(...thumbnailStrip(sprite, id, start, end, 6, 96));
 */
import { address } from "./api.js";
import { h } from "./dom.js";

/** @typedef {import("./views").SpriteView} SpriteView */

/**
 * Returns where in the sheet the thumbnail of a time is. Pure.
 * @param {SpriteView} sprite
 * @param {number} time seconds
 * @returns {{ x: number, y: number }} pixels of the sheet
 */
export function placeInSheet({ width, height, columns, count, step_s }, time) {
  const number = Math.max(0, Math.min(count - 1, Math.floor(time / step_s + 1e-9)));
  return { x: (number % columns) * width, y: Math.floor(number / columns) * height };
}

/**
 * Returns the thumbnail of a time.
 * @param {SpriteView} sprite
 * @param {string} id of the video
 * @param {number} time seconds
 * @param {number} width pixels
 * @returns {HTMLElement}
 */
export function thumbnail(sprite, id, time, width) {
  const scale = width / sprite.width;
  const sheet = `${Math.min(sprite.columns, sprite.count) * width}px ${Math.ceil(sprite.count / sprite.columns) * sprite.height * scale}px`;
  const picture = h("div", {
    class: "thumbnail",
    style: {
      "inline-size": `${width}px`,
      "block-size": `${sprite.height * scale}px`,
      "background-image": `url("${address("/media/sprite", { id })}")`,
      "background-size": sheet,
    },
  });
  moveThumbnail(picture, sprite, time, width);
  return picture;
}

/**
 * Lets a thumbnail show another time.
 * @param {HTMLElement} picture
 * @param {SpriteView} sprite
 * @param {number} time seconds
 * @param {number} width pixels
 */
export function moveThumbnail(picture, sprite, time, width) {
  const { x, y } = placeInSheet(sprite, time);
  const scale = width / sprite.width;
  picture.style.backgroundPosition = `${-x * scale}px ${-y * scale}px`;
}

/**
 * Returns thumbnails of an interval, evenly spaced.
 * @param {SpriteView} sprite
 * @param {string} id of the video
 * @param {number} start seconds
 * @param {number} end seconds
 * @param {number} number of thumbnails
 * @param {number} width of one, in pixels
 * @returns {HTMLElement[]}
 */
export function thumbnailStrip(sprite, id, start, end, number, width) {
  const at = (/** @type {number} */ of) => start + ((of + 0.5) / number) * (end - start);
  return Array.from({ length: number }, (_, of) => thumbnail(sprite, id, at(of), width));
}
