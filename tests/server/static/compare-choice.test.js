import assert from "node:assert/strict";
import { test } from "node:test";

import { meant, offersOf } from "../../../reeltag/server/static/compare-choice.js";

test("videos are offered by their names, those of one name by their ids", () => {
  const videos = [{ id: "1", name: "film.mp4" }, { id: "a/2", name: "same" }, { id: "b/2", name: "same" }];
  assert.deepEqual([...offersOf(videos)], [["film.mp4", "1"], ["a/2", "a/2"], ["b/2", "b/2"]]);
});

test("a whole name is meant before longer ones that begin so", () => {
  const offers = new Map([["film_10", "10"], ["Film_1", "1"], ["film_11", "11"]]);
  assert.equal(meant(offers, "film_11"), "11");
  assert.equal(meant(offers, "film_1"), "1");
  assert.equal(meant(offers, "film"), "10");
  assert.equal(meant(new Map(), "film"), undefined);
});
