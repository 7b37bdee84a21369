/** A pointer that is held down and moved. */

/**
 * Follows a pointer from where it was pressed until it is let go.
 * @param {HTMLElement} element that gets its events
 * @param {PointerEvent} pressed
 * @param {object} how
 * @param {number} how.far pixels that make a press a drag
 * @param {(event: PointerEvent) => void} how.move called for each move of a drag
 * @param {(is_drag: boolean, is_cancelled: boolean) => void} how.end
 */
export function followDrag(element, pressed, { far, move, end }) {
  const held = new AbortController();
  const { signal } = held;
  let is_drag = false;
  element.setPointerCapture(pressed.pointerId);
  /** @param {PointerEvent} event */
  const stop = (event) => {
    held.abort();
    end(is_drag, event.type === "pointercancel");
  };
  element.addEventListener("pointermove", (event) => {
    is_drag ||= Math.abs(event.clientX - pressed.clientX) > far;
    if (is_drag) move(event);
  }, { signal });
  element.addEventListener("pointerup", stop, { signal });
  element.addEventListener("pointercancel", stop, { signal });
}
