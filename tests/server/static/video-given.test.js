import assert from "node:assert/strict";
import { test } from "node:test";

import { GivenRatings, newestLast } from "../../../reeltag/server/static/video-given.js";

const GIVEN = { video: "a", start_s: 1, end_s: 3, class_name: "dog", answer: "yes" };
const STORED = { ...GIVEN, key: 7, answer: "no", value: 0, who: "", rated_at: "2026-01-01T00:00:00+00:00", origin: "timeline" };

/** A sender whose server answers when it is told to. */
function makeSender() {
  const calls = [];
  const waiting = [];
  const wait = () => new Promise((resolve) => waiting.push(resolve));
  return {
    calls,
    answer: (stored) => waiting.shift()(stored),
    give: () => `id ${calls.push("give")}`,
    stored: wait,
    takeBack: (id) => (calls.push(`take back ${id}`), wait()),
    undo: (key) => (calls.push(`undo ${key}`), wait()),
  };
}

const answers = (ratings) => ratings.map((of) => of.answer);

test("a rating counts at once in place of the one of its window, and of no one else's", () => {
  const given = new GivenRatings(makeSender());
  given.give({ ...GIVEN, start_s: 1.0001 });
  const other = { ...STORED, key: 8, who: "you" };
  assert.deepEqual(answers(given.over([STORED, other])), ["no", "yes"]);
  assert.equal(given.over([STORED, other])[0], other);
});

test("a rating is shown until an answer of the server knows of it", async () => {
  const sender = makeSender();
  const given = new GivenRatings(sender);
  const { settled } = given.give(GIVEN);
  given.settled()(); // asked before it is stored
  assert.deepEqual(answers(given.over([])), ["yes"]);
  sender.answer({ key: 9 });
  await settled;
  given.settled()();
  assert.deepEqual(given.over([]), []);
});

test("one that the server refuses is shown no longer, and is not taken back", async () => {
  const sender = makeSender();
  const given = new GivenRatings(sender);
  const { settled } = given.give(GIVEN);
  sender.answer(null);
  await settled;
  given.settled()();
  assert.deepEqual(answers(given.over([STORED])), ["no"]);
  assert.equal(given.last, undefined);
});

test("what was given last is taken back first, sent or not", async () => {
  const sender = makeSender();
  const given = new GivenRatings(sender);
  const first = given.give(GIVEN);
  const second = given.give({ ...GIVEN, answer: "unsure" });
  sender.answer({ key: 9 });
  await first.settled;
  assert.equal(given.takeBack(given.last).rating.answer, "unsure");
  assert.deepEqual(answers(given.over([])), ["yes"]);
  assert.equal(given.takeBack(given.last).rating.answer, "yes");
  assert.deepEqual(given.over([{ ...STORED, key: 9, answer: "yes" }]), []);
  assert.deepEqual(sender.calls.slice(2), [`take back ${second.id}`, `take back ${first.id}`]);
  assert.equal(given.last, undefined);
});

test("a rating of the server is taken back by its key, one of this page by its name", async () => {
  const sender = makeSender();
  const given = new GivenRatings(sender);
  const { id, settled } = given.give(GIVEN);
  sender.answer({ key: 9 });
  await settled;
  given.remove({ ...STORED, key: 9 });
  given.remove(STORED);
  assert.deepEqual(sender.calls.slice(1), [`take back ${id}`, "undo 7"]);
  assert.deepEqual(given.over([STORED]), []);
});

test("ratings on their way are newer than all others", () => {
  const [old, late] = [STORED, { ...STORED, rated_at: "2027-01-01T00:00:00+00:00" }];
  const sending = { ...STORED, key: 0, rated_at: "" };
  assert.deepEqual([sending, late, old].sort(newestLast), [old, late, sending]);
});
