/** Work that many events need, done now and then. Pure but for its timer. */

/**
 * Returns a function that runs `work` at once, and again at most once in `least_ms`: calls
 * meanwhile are one run at the end of that time.
 * @param {() => void} work
 * @param {number} least_ms milliseconds between two runs
 * @returns {() => void}
 */
export function throttled(work, least_ms) {
  let is_resting = false;
  let is_wanted = false;
  const run = () => {
    is_wanted = false;
    is_resting = true;
    setTimeout(() => {
      is_resting = false;
      if (is_wanted) run();
    }, least_ms);
    work();
  };
  return () => {
    if (is_resting) is_wanted = true;
    else run();
  };
}
