/**
 * `<moment-strip>`: thumbnails of an interval, side by side. It is a picture of what a text next to
 * it says, and hidden from screen readers.
 */
import { cellsOf } from "./strip-cells.js";
import { showCell, thumbnail } from "./thumbnails.js";

const MOST = 5;

export class MomentStrip extends HTMLElement {
  connectedCallback() {
    this.setAttribute("aria-hidden", "true");
  }

  /**
   * Show an interval; nothing where there is no sprite.
   * @param {{video: string, sprite: import("./strip-cells.js").Sprite | null, start_s: number,
   *   end_s: number}} moment
   */
  show({ video, sprite, start_s, end_s }) {
    this.replaceChildren();
    if (sprite === null) return;
    for (const cell of cellsOf(sprite, start_s, end_s, MOST)) {
      const picture = thumbnail(sprite, video, start_s);
      showCell(picture, cell);
      this.append(picture);
    }
  }
}

customElements.define("moment-strip", MomentStrip);
