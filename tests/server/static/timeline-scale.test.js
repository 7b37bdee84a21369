import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clamped, columnMaxima, momentAt, nextMoment, pixelOf, ticks, timeOf, valueAt, withEdge, zoomed,
} from "../../../reeltag/server/static/timeline-scale.js";
import { ratingOf } from "../../../reeltag/server/static/video-model.js";

const moment = (start_s, end_s, rating = null) => ({ class_name: "Dog", start_s, end_s, rating });

test("a span stays in the video", () => {
  assert.deepEqual(clamped({ start: -5, end: 15 }, 60), { start: 0, end: 20 });
  assert.deepEqual(clamped({ start: 50, end: 70 }, 60), { start: 40, end: 60 });
  assert.deepEqual(clamped({ start: 0, end: 100 }, 60), { start: 0, end: 60 });
  assert.deepEqual(clamped({ start: 0, end: 5 }, 0.5), { start: 0, end: 0.5 });
});

test("what one zooms at stays where it is", () => {
  const span = zoomed({ start: 0, end: 60 }, 0.5, 15, 60);
  assert.deepEqual(span, { start: 7.5, end: 37.5 });
  assert.equal(pixelOf(span, 800, 15), pixelOf({ start: 0, end: 60 }, 800, 15));
  assert.equal(zoomed(span, 1e-9, 15, 60).end - zoomed(span, 1e-9, 15, 60).start, 1);
});

test("pixels and times are each other's inverse", () => {
  assert.equal(timeOf({ start: 10, end: 30 }, 400, pixelOf({ start: 10, end: 30 }, 400, 17)), 17);
});

test("ticks are round and far enough apart", () => {
  assert.deepEqual(ticks({ start: 3, end: 63 }, 500), { step: 10, times: [10, 20, 30, 40, 50, 60] });
  const { step } = ticks({ start: 0, end: 360_000 }, 800);
  assert.ok((step / 360_000) * 800 >= 80);
});

test("a pixel shows the highest of its values, and no peak is lost", () => {
  const values = new Array(1000).fill(0.1);
  values[517] = 0.9;
  const columns = columnMaxima(values, 1, { start: 0, end: 1000 }, 100);
  assert.equal(columns.indexOf(Math.fround(0.9)), 51);
  assert.equal(columns.filter((of) => of === Math.fround(0.9)).length, 1);
});

test("a value wider than a pixel fills all of its pixels", () => {
  const columns = columnMaxima([0, 1, 0], 1, { start: 0, end: 4 }, 8);
  assert.deepEqual([...columns.slice(0, 6)], [0, 0, 1, 1, 0, 0]);
  assert.ok(Number.isNaN(columns[6]) && Number.isNaN(columns[7]));
});

test("the value of a time is that of its step", () => {
  assert.equal(valueAt([0.1, 0.2, 0.3], 2, 3.9), 0.2);
  assert.equal(valueAt([0.1, 0.2, 0.3], 2, 99), 0.3);
  assert.equal(valueAt([], 2, 1), null);
});

test("the shorter of two moments is taken", () => {
  assert.equal(momentAt([moment(0, 20), moment(5, 8)], 6).start_s, 5);
  assert.equal(momentAt([moment(0, 5)], 5), null);
});

test("next goes to a moment without a rating, whatever is between", () => {
  const moments = [moment(30, 35), moment(10, 15, 1), moment(20, 25), moment(0, 5)];
  assert.equal(nextMoment(moments, 0, 1).start_s, 20);
  assert.equal(nextMoment(moments, 20, -1).start_s, 0);
  assert.equal(nextMoment([moment(10, 15, 0)], 0, 1).start_s, 10);
  assert.equal(nextMoment(moments, 30, 1), null);
});

test("an edge never passes the other one, nor the video's ends", () => {
  assert.deepEqual(withEdge({ start: 5, end: 10 }, "start", 12, 60), { start: 9.8, end: 10 });
  assert.deepEqual(withEdge({ start: 5, end: 10 }, "end", 99, 60), { start: 5, end: 60 });
  assert.deepEqual(withEdge({ start: 5, end: 10 }, "start", 4.26, 60), { start: 4.3, end: 10 });
});

test("a rating counts for the moment that it overlaps by half of either", () => {
  const rating = (start_s, end_s, value, rated_at, class_name = "Dog") => ({ start_s, end_s, value, rated_at, class_name });
  assert.equal(ratingOf(moment(10, 20), [rating(12, 20, 1, "1")]), 1);
  assert.equal(ratingOf(moment(10, 20), [rating(17, 20, 1, "1")]), 1);
  assert.equal(ratingOf(moment(10, 20), [rating(18, 24, 1, "1")]), null);
  assert.equal(ratingOf(moment(10, 20), [rating(10, 20, 1, "1"), rating(10, 20, 0, "2")]), 0);
  assert.equal(ratingOf(moment(10, 20), [rating(10, 20, 1, "1", "Cat"), rating(0, null, 1, "1")]), null);
});
