import assert from "node:assert/strict";
import { test } from "node:test";

import { Verdicts, isSame } from "../../../reeltag/server/static/search-verdicts.js";

/** A moment of dogs. */
function moment(start_s, end_s, more = {}) {
  return { video: "a", class_name: "dog", start_s, end_s, rating: null, ...more };
}

const ratings = (/** @type {any[]} */ moments) => moments.map((of) => of.rating);

test("a rating is shown on what another threshold makes of the moment, and on nothing else", () => {
  const verdicts = new Verdicts();
  verdicts.give(moment(10, 14), "1", "yes", null);
  const found = [moment(9, 16), moment(20, 24), moment(10, 14, { video: "b" }), moment(10, 14, { class_name: "cat" })];
  assert.deepEqual(ratings(verdicts.over(found)), [1, null, null, null]);
});

test("what is taken back has its verdict of before, whatever the server still says", () => {
  const verdicts = new Verdicts();
  verdicts.give(moment(10, 14), "1", "yes", null);
  verdicts.give(moment(10, 14), "2", "no", "yes");
  assert.deepEqual(ratings(verdicts.over([moment(10, 14)])), [0]);
  assert.equal(verdicts.takeBack()?.id, "2");
  assert.deepEqual(ratings(verdicts.over([moment(10, 14, { rating: 0 })])), [1]);
  assert.equal(verdicts.takeBack()?.id, "1");
  assert.deepEqual(ratings(verdicts.over([moment(10, 14, { rating: 1 })])), [null]);
  assert.equal(verdicts.takeBack(), null);
});

test("moments are the same from half of the shorter one on", () => {
  assert.equal(isSame(moment(0, 4), moment(2, 20)), true);
  assert.equal(isSame(moment(0, 4), moment(2.1, 20)), false);
});
