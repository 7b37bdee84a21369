/** The keys of the page of a video. */
import { addKeys } from "./keys.js";
import { timelineKeys } from "./timeline-keys.js";

/**
 * @param {import("./video.js").VideoPage} page
 */
export function addVideoKeys(page) {
  const { player, line } = page;
  const by = (/** @type {number} */ seconds) => () => page.go(player.time + seconds);
  addKeys("Play", [
    { keys: [" "], words: "play, pause", run: () => player.toggle() },
    { keys: ["ArrowLeft"], words: "1 s back", run: by(-1), repeat: true },
    { keys: ["ArrowRight"], words: "1 s on", run: by(1), repeat: true },
    { keys: ["shift+ArrowLeft"], words: "5 s back", run: by(-5), repeat: true },
    { keys: ["shift+ArrowRight"], words: "5 s on", run: by(5), repeat: true },
    { keys: [","], words: "a frame back", run: () => page.frame(-1), repeat: true },
    { keys: ["."], words: "a frame on", run: () => page.frame(1), repeat: true },
    { keys: ["j"], words: "backwards, again: faster", run: () => player.shuttle(-1) },
    { keys: ["k"], words: "pause", run: () => player.pause() },
    { keys: ["l"], words: "forwards, again: faster", run: () => player.shuttle(1) },
    { keys: ["Home"], words: "to the beginning", run: () => page.go(0) },
    { keys: ["End"], words: "to the end", run: () => page.go(Infinity) },
    { keys: ["m"], words: "sound on, off", run: () => player.mute() },
    { keys: ["f"], words: "full screen", run: () => player.full() },
  ]);
  addKeys("Moments and ratings", [
    { keys: ["n"], words: "next moment without a rating", run: () => page.next(1) },
    { keys: ["p"], words: "the one before", run: () => page.next(-1) },
    { keys: ["y", "Enter"], words: "yes, the class is there", run: () => page.rate("yes") },
    { keys: ["x"], words: "no, it is not", run: () => page.rate("no") },
    { keys: ["u"], words: "unsure", run: () => page.rate("unsure") },
    { keys: ["z"], words: "undo the last rating", run: () => page.undo() },
    { keys: ["a"], words: "mark an interval at the play head", run: () => page.mark() },
    { keys: ["shift+a"], words: "move its nearer edge to the play head", run: () => page.pull() },
    { keys: ["o"], words: "loop the interval", run: () => page.toggleLoop() },
    { keys: ["Escape"], words: "no interval", run: () => page.select(null) },
  ]);
  addKeys("Time line", [
    ...timelineKeys(line, (name) => page.chooseLane(name)),
    { keys: ["c"], words: "show another class, or make one", run: () => page.askClass() },
  ]);
}
