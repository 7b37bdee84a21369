import assert from "node:assert/strict";
import { test } from "node:test";

import { differenceAxis, place, sortedBy } from "../../../reeltag/server/static/learn-scale.js";
import {
  differenceWords, finderWords, gainWords, precisionWords, signed,
} from "../../../reeltag/server/static/learn-words.js";

const ESTIMATE = { value: 0.85, low: 0.71, high: 0.93, num_ratings: 41 };

test("a precision never comes without its interval and its ratings", () => {
  assert.equal(precisionWords(23, ESTIMATE, true), "23 moments, precision 0.85 (0.71 to 0.93) by 41 ratings");
  assert.equal(precisionWords(1, null, true), "1 moment, precision not known yet: rate some");
  assert.equal(precisionWords(1200, null, false), "1,200 moments");
});

test("differences have a sign, and none where they are nothing", () => {
  assert.deepEqual([0.051, -0.051, -0.001, 0].map(signed), ["+0.05", "−0.05", "0.00", "0.00"]);
  const gain = { value: 0.05, low: -0.01, high: 0.11, num_ratings: 1 };
  assert.equal(gainWords(gain), "+0.05 (−0.01 to +0.11) by 1 rating");
  assert.equal(gainWords(null), "not known yet");
  const difference = { name: "dog", old: 0.5, new: 0.62, low: 0.03, high: 0.22, num_ratings: 40, verdict: "better" };
  assert.equal(differenceWords(difference), "+0.12 (+0.03 to +0.22) by 40 ratings");
});

test("finders of one name are told apart by when they were made", () => {
  const finder = { name: "finder of 276 ratings", made_at: "2026-01-02T12:00:00+00:00" };
  const noon = new Date(finder.made_at);
  const time = noon.toLocaleTimeString(undefined, { timeStyle: "short" });
  assert.equal(finderWords(finder, noon), `finder of 276 ratings (today ${time})`);
  const later = finderWords(finder, new Date("2026-03-01T12:00:00+00:00"));
  assert.match(later, /^finder of 276 ratings \(.*2026.*\)$/);
  assert.ok(later.includes(time));
  assert.equal(finderWords({ ...finder, made_at: "" }, noon), finder.name);
});

test("an axis of differences is even around zero, and holds every interval", () => {
  const { from, to, ticks } = differenceAxis([{ low: -0.04, high: 0.17 }, { low: 0, high: 0.01 }]);
  assert.deepEqual([from, to, ticks], [-0.2, 0.2, [-0.2, -0.1, 0, 0.1, 0.2]]);
  assert.ok(differenceAxis([{ low: -1, high: 0.3 }]).from <= -1);
  assert.ok(differenceAxis([]).to > 0);
});

test("a value has a place on its axis, and none beyond it", () => {
  assert.deepEqual([-0.2, 0, 0.1, 5].map((value) => place(value, -0.2, 0.2)), [0, 50, 75, 100]);
});

test("rows without a value come last, in either order", () => {
  const rows = [{ name: "b", value: null }, { name: "c", value: 1 }, { name: "a", value: 2 }, { name: "d", value: 1 }];
  const names = (descending) => sortedBy(rows, (of) => of.value, descending).map((of) => of.name);
  assert.deepEqual(names(true), ["a", "c", "d", "b"]);
  assert.deepEqual(names(false), ["c", "d", "a", "b"]);
});
