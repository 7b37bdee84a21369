import assert from "node:assert/strict";
import { test } from "node:test";
import { FreeClock } from "../../../reeltag/server/static/free-clock.js";

test("time goes on while it plays, by its rate, and ends with the video", async () => {
  let now = 1000;
  const clock = new FreeClock(10, () => now);
  now += 5000;
  assert.equal(clock.currentTime, 0);
  await clock.play();
  now += 2000;
  assert.equal(clock.currentTime, 2);
  clock.playbackRate = 2;
  now += 1000;
  assert.equal(clock.currentTime, 4);
  clock.pause();
  now += 9000;
  assert.equal(clock.currentTime, 4);
  await clock.play();
  now += 60_000;
  assert.equal(clock.currentTime, 10);
  assert.equal(clock.paused, true);
});

test("seeking stays in the video", () => {
  const clock = new FreeClock(10, () => 0);
  clock.currentTime = 99;
  assert.equal(clock.currentTime, 10);
  clock.currentTime = -1;
  assert.equal(clock.currentTime, 0);
});
