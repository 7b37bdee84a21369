/** The keys of a time line, on each page that has one. */

/** @typedef {import("./timeline.js").TimeLine} TimeLine */
/** @typedef {import("./keys.js").Key} Key */

/**
 * Returns the keys that choose a class, zoom and read.
 * @param {TimeLine} line
 * @param {(name: string) => void} choose a class of its lanes
 * @returns {Key[]} to be given to `addKeys`
 */
export function timelineKeys(line, choose) {
  /** @param {number} at number of a lane; beyond the ends: none */
  const chooseAt = (at) => {
    const lane = line.lanes[at];
    if (!lane) return;
    lane.lane.scrollIntoView({ block: "nearest" });
    choose(lane.name);
  };
  const step = (/** @type {1 | -1} */ way) => chooseAt(line.lanes.findIndex((of) => of.name === line.current) + way);
  return [
    { keys: [..."123456789"], shown: "1 to 9", words: "class of this lane", run: (event) => chooseAt(Number(event.key) - 1) },
    { keys: ["ArrowUp"], words: "class above", run: () => step(-1), repeat: true },
    { keys: ["ArrowDown"], words: "class below", run: () => step(1), repeat: true },
    { keys: ["+", "="], words: "zoom in", run: () => line.zoom(0.5), repeat: true },
    { keys: ["-"], words: "zoom out", run: () => line.zoom(2), repeat: true },
    { keys: ["0"], words: "whole video", run: () => line.look({ start: 0, end: line.data.duration }) },
    { keys: ["r"], words: "read time and probabilities", run: () => line.read() },
  ];
}
