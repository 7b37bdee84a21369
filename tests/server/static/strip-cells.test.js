import assert from "node:assert/strict";
import { test } from "node:test";

import { cellAt, cellsOf, loopSpan, sheetOf } from "../../../reeltag/server/static/strip-cells.js";

const SPRITE = { width: 160, height: 90, columns: 4, count: 10, step_s: 2 };

test("a second has its thumbnail, in percent of what the sprite is larger than one", () => {
  assert.deepEqual(cellAt(SPRITE, 0), { index: 0, x: 0, y: 0 });
  assert.deepEqual(cellAt(SPRITE, 10), { index: 5, x: 100 / 3, y: 50 });
  assert.equal(cellAt(SPRITE, 1000).index, 9, "beyond the end: the last one");
  assert.deepEqual(cellAt({ ...SPRITE, columns: 1, count: 1 }, 3), { index: 0, x: 0, y: 0 });
});

test("a thumbnail is shown until the next one begins", () => {
  assert.deepEqual([3.9, 4, 5.9, 6].map((second) => cellAt(SPRITE, second).index), [1, 2, 2, 3]);
  assert.equal(cellAt({ ...SPRITE, step_s: 0.1 }, 0.3).index, 3, "0.3 / 0.1 is a little less than 3");
});

test("a sheet of few thumbnails is no wider than they are", () => {
  const few = { ...SPRITE, columns: 10, count: 3 };
  assert.deepEqual(sheetOf(few), { columns: 3, rows: 1 });
  assert.deepEqual([0, 2, 4].map((second) => cellAt(few, second).x), [0, 50, 100]);
  assert.deepEqual(sheetOf({ ...SPRITE, count: 9 }), { columns: 4, rows: 3 });
});

test("the thumbnails of an interval are within it, and none comes twice", () => {
  assert.deepEqual(cellsOf(SPRITE, 4, 12, 4).map((of) => of.index), [2, 3, 4, 5]);
  assert.deepEqual(cellsOf(SPRITE, 4, 5, 5).map((of) => of.index), [2]);
});

test("a moment too short to be seen is played with what is around it", () => {
  assert.deepEqual(loopSpan(10, 10.5, 1.5), [9.5, 11]);
  assert.deepEqual(loopSpan(0, 0.5, 1.5), [0, 1.5]);
  assert.deepEqual(loopSpan(3, 9, 1.5), [3, 9]);
});
