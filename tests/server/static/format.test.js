import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf, clock, count, duration, estimateWords, fitting, interval, prob } from "../../../reeltag/server/static/format.js";

test("clock carries seconds into minutes and hours", () => {
  assert.equal(clock(187), "3:07");
  assert.equal(clock(3723), "1:02:03");
  assert.equal(clock(59.96, 1), "1:00.0");
  assert.equal(clock(7.04, 1), "0:07.0");
  assert.equal(clock(NaN), "–");
});

test("interval without an end is the whole video", () => {
  assert.equal(interval(12, 17.5), "0:12.0 to 0:17.5");
  assert.equal(interval(5, 10), "0:05 to 0:10");
  assert.equal(interval(5.5, 70), "0:05.5 to 1:10.0");
  assert.equal(interval(0, null), "the whole video");
});

test("a rating's value above a half is a yes", () => {
  assert.deepEqual([1, 0.6, 0.5, 0, null].map(answerOf), ["yes", "yes", "no", "no", null]);
});

test("duration has the unit that fits", () => {
  assert.deepEqual([12, 600, 4800, 7200].map(duration), ["12 s", "10 min", "1 h 20 min", "2 h"]);
});

test("probability is 0 or 1 only where it is", () => {
  assert.deepEqual([0, 0.004, 0.421, 0.996, 1].map(prob), [".00", "<.01", ".42", ">.99", "1.0"]);
});

test("estimate has its interval and the number of ratings", () => {
  const words = estimateWords({ value: 0.85, low: 0.71, high: 0.93, num_ratings: 41 });
  assert.equal(words, "0.85 (0.71 to 0.93) by 41 ratings");
  assert.equal(estimateWords(null), "not known yet");
  assert.equal(count(1, "rating"), "1 rating");
});

test("names that begin with what was typed come first", () => {
  const names = ["Acoustic guitar", "Bass guitar", "Guitar", "Guitarist", "Goat, red"];
  assert.deepEqual(fitting(names, "guit"), ["Guitar", "Guitarist", "Bass guitar", "Acoustic guitar"]);
  assert.deepEqual(fitting(names, "gtr"), ["Guitar", "Guitarist", "Goat, red", "Bass guitar", "Acoustic guitar"]);
  assert.deepEqual(fitting(names, "zebra"), []);
  assert.equal(fitting(names, "", 2).length, 2);
});
