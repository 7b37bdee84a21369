import assert from "node:assert/strict";
import { test } from "node:test";

import { JobFeed } from "../../../reeltag/server/static/job-feed.js";

const job = (key, state, seconds = 1) => ({ key, state, seconds, kind: "curves", title: key, fraction: null, message: "", result: "", started_at: "" });

/** A feed, and what a listener was told. */
function listened(...first) {
  const feed = new JobFeed(first);
  const told = [];
  feed.listen(({ key, state }) => told.push(`${key} ${state}`));
  return { feed, told };
}

test("a job that has ended while nobody listened is told of, once", () => {
  const { feed, told } = listened(job("a", "running"));
  feed.takeAll([job("a", "done", 3)]);
  feed.takeAll([job("a", "done", 3)]);
  assert.deepEqual(told, ["a running", "a done"]);
});

test("jobs that had ended before the page was opened are no news", () => {
  const { feed, told } = listened();
  feed.takeAll([job("b", "failed"), job("a", "done")]);
  feed.takeAll([job("b", "failed"), job("a", "done")]);
  assert.deepEqual(told, []);
});

test("a job that began and ended while the page was hidden is told of", () => {
  const { feed, told } = listened();
  feed.takeAll([]);
  feed.takeAll([job("a", "done")]);
  assert.deepEqual(told, ["a done"]);
});

test("a list that was on its way when a job ended brings it not back", () => {
  const { feed, told } = listened(job("a", "running", 1));
  feed.take(job("a", "running", 5));
  feed.takeAll([job("a", "running", 3)]);
  feed.take(job("a", "done", 6));
  feed.takeAll([job("a", "running", 5)]);
  assert.deepEqual(told, ["a running", "a running", "a done"]);
});

test("a job that begins to run is news although its time starts again", () => {
  const { feed, told } = listened(job("a", "waiting", 9));
  feed.take(job("a", "running", 0));
  assert.deepEqual(told, ["a waiting", "a running"]);
});

test("who listens later is told what is known", () => {
  const { feed } = listened();
  feed.take(job("a", "done"));
  const told = [];
  const end = feed.listen(({ key }) => told.push(key));
  end();
  feed.take(job("b", "running"));
  assert.deepEqual(told, ["a"]);
});
