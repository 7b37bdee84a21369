import assert from "node:assert/strict";
import { test } from "node:test";
import { layoutOf, pagesOf, placeOf, seen } from "../../../reeltag/server/static/library-window.js";

const layout = layoutOf({ width: 1000, count: 10_000, least: 220, gap: 16, heightOf: () => 184 });

test("cards fill the width, at least as wide as they must be", () => {
  assert.equal(layout.columns, 4);
  assert.equal(layout.width, 238);
  assert.equal(layout.total, 2500 * 200 - 16);
  assert.equal(layoutOf({ width: 100, count: 3, least: 220, gap: 16, heightOf: () => 10 }).columns, 1);
});

test("only cards near the view exist", () => {
  assert.deepEqual(seen(layout, { from: 0, to: 800, count: 10_000, more: 1 }), { first: 0, end: 24 });
  const far = seen(layout, { from: 400_000, to: 400_800, count: 10_000, more: 1 });
  assert.deepEqual(far, { first: 7996, end: 8024 });
  assert.deepEqual(placeOf(layout, 8000), { x: 0, y: 400_000 });
  assert.deepEqual(seen(layout, { from: 499_600, to: 500_400, count: 9_999 }).end, 9_999);
  assert.deepEqual(seen(layout, { from: -3000, to: -2200, count: 10_000 }), { first: 0, end: 0 });
});

test("pages are those that hold what is seen", () => {
  assert.deepEqual(pagesOf(55, 65, 60), [0, 1]);
  assert.deepEqual(pagesOf(60, 120, 60), [1]);
  assert.deepEqual(pagesOf(0, 0, 60), []);
});
