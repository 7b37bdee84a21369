import assert from "node:assert/strict";
import { test } from "node:test";

import { gridStep } from "../../../reeltag/server/static/grid-step.js";

test("arrow keys lead through a grid of seven in rows of three", () => {
  const to = (key, at) => gridStep(key, at, 7, 3);
  assert.deepEqual([to("ArrowRight", 0), to("ArrowDown", 0), to("ArrowUp", 4), to("ArrowLeft", 3)], [1, 3, 1, 2]);
  assert.deepEqual([to("Home", 5), to("End", 0)], [0, 6]);
  assert.deepEqual([to("ArrowLeft", 0), to("ArrowUp", 2), to("ArrowRight", 6), to("ArrowDown", 6), to("Tab", 0)], Array(5).fill(null));
  assert.equal(to("ArrowDown", 5), 6, "down to a row that is shorter: its last one");
});
