import assert from "node:assert/strict";
import { test } from "node:test";

import { FEW, RateQueue } from "../../../reeltag/server/static/rate-queue.js";

const windows = (...videos) =>
  videos.map((video) => ({ video, name: video, start_s: 0, end_s: 5, class_name: "dog", prob: null, why: "", chance: 1, sprite: null }));

test("windows come in order, and one that was seen does not come again", () => {
  const queue = new RateQueue();
  assert.equal(queue.add(windows("a", "b")), 2);
  assert.equal(queue.current.video, "a");
  queue.answer("yes");
  assert.equal(queue.add(windows("a", "b", "c")), 1);
  assert.deepEqual(queue.windows.map((of) => of.video), ["b", "c"]);
});

test("the same window of another class is another question", () => {
  const queue = new RateQueue();
  const [dog] = windows("a");
  assert.equal(queue.add([dog, { ...dog, class_name: "cat" }]), 2);
});

test("going back brings the last window again, and its answer is known", () => {
  const queue = new RateQueue();
  queue.add(windows("a", "b"));
  queue.answer("no").id = "one";
  const done = queue.undo();
  assert.deepEqual([done.answer, done.id, queue.current.video], ["no", "one", "a"]);
  assert.equal(queue.undo(), null);
});

test("more are fetched before the queue is empty", () => {
  const queue = new RateQueue();
  queue.add(windows(..."abcdefgh").slice(0, FEW));
  assert.equal(queue.isShort, false);
  queue.answer("skip");
  assert.equal(queue.isShort, true);
});

test("an empty queue takes no answer", () => {
  assert.throws(() => new RateQueue().answer("yes"), /no window/);
});

test("windows of classes that are not asked about wait until they are", () => {
  const queue = new RateQueue();
  const [dog] = windows("a");
  queue.add([dog, { ...dog, class_name: "cat" }]);
  queue.choose(["cat"]);
  assert.deepEqual(queue.windows.map((of) => of.class_name), ["cat"]);
  queue.choose([]);
  assert.deepEqual(queue.windows.map((of) => of.class_name), ["dog", "cat"]);
});

test("going back to a window of a class that is not asked about any more shows it", () => {
  const queue = new RateQueue();
  const [dog] = windows("a");
  queue.add([dog, { ...dog, class_name: "cat" }]);
  queue.answer("yes");
  queue.choose(["cat"]);
  queue.undo();
  assert.equal(queue.current.class_name, "dog");
});
