import assert from "node:assert/strict";
import { test } from "node:test";

import { throttled } from "../../../reeltag/server/static/throttle.js";

test("many events cause one run at once and one at the end of the time, and none is forgotten", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let runs = 0;
  const ask = throttled(() => (runs += 1), 2000);
  for (let n = 0; n < 50; n += 1) ask();
  assert.equal(runs, 1);
  t.mock.timers.tick(1999);
  assert.equal(runs, 1);
  t.mock.timers.tick(1);
  assert.equal(runs, 2, "the other 49 together");
  t.mock.timers.tick(5000);
  assert.equal(runs, 2, "nothing more was asked for");
  ask();
  assert.equal(runs, 3, "at once, after a rest");
});
