import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox, isPassing } from "../../../reeltag/server/static/rate-outbox.js";

const RATING = { video: "a", start_s: 0, end_s: 5, class_name: "dog", answer: "yes", origin: "queue" };

/** A storage as the browser's, and what is in it. */
function makeStore() {
  const items = new Map();
  return {
    items,
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}

function failure(status) {
  return Object.assign(new Error(`status ${status}`), { status });
}

test("a rating is in the storage before it is sent, and gone once it is stored", async () => {
  const store = makeStore();
  let kept_while_sending = 0;
  const send = async () => {
    kept_while_sending = store.items.size;
    return { key: 7 };
  };
  const outbox = new Outbox({ project: "p", store, send });
  const { stored } = outbox.add({ rating: RATING });
  assert.deepEqual(await stored, { key: 7 });
  assert.equal(kept_while_sending, 1);
  assert.equal(store.items.size, 0);
  assert.equal(outbox.waiting, 0);
});

test("a rating that could not be sent is sent again, in order", async () => {
  const sent = [];
  let is_down = true;
  const send = async (message) => {
    if (is_down) throw failure(0);
    sent.push(message.rating.video);
    return { key: sent.length };
  };
  const outbox = new Outbox({ project: "p", store: makeStore(), send, retryMs: [1] });
  outbox.add({ rating: RATING });
  const { stored } = outbox.add({ rating: { ...RATING, video: "b" } });
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(outbox.isStuck, true);
  assert.equal(outbox.waiting, 2);
  is_down = false;
  await stored;
  assert.deepEqual(sent, ["a", "b"]);
  assert.equal(outbox.isStuck, false);
});

test("a later page sends what an earlier one could not, and nothing of another project", async () => {
  const store = makeStore();
  const down = { store, send: () => Promise.reject(failure(503)), retryMs: [1e6] };
  const before = new Outbox({ ...down, project: "p" });
  before.add({ rating: RATING });
  const other = new Outbox({ ...down, project: "q" });
  other.add({ rating: { ...RATING, video: "elsewhere" } });
  await new Promise(setImmediate);
  const sent = [];
  const send = async (message) => {
    sent.push(message.rating.video);
    return { key: 1 };
  };
  await new Outbox({ project: "p", store, send }).flush();
  assert.deepEqual(sent, ["a"]);
  assert.equal(store.items.size, 1);
  before.stop();
  other.stop();
});

test("a rating that is refused is kept with the reason, and does not hold up others", async () => {
  const store = makeStore();
  const send = async (message) => {
    if (message.rating.video === "a") throw failure(404);
    return { key: 2 };
  };
  const outbox = new Outbox({ project: "p", store, send });
  const refused = outbox.add({ rating: RATING });
  const { stored } = outbox.add({ rating: { ...RATING, video: "b" } });
  assert.equal(await refused.stored, null);
  assert.deepEqual(await stored, { key: 2 });
  assert.deepEqual(outbox.refused.map((of) => of.refused), ["status 404"]);
  assert.equal(store.items.size, 1);
  outbox.discardRefused();
  assert.equal(store.items.size, 0);
});

test("a rating is taken back before it is sent, but not while it is", async () => {
  let finish = () => {};
  const send = () => new Promise((resolve) => (finish = () => resolve({ key: 1 })));
  const outbox = new Outbox({ project: "p", store: makeStore(), send });
  const first = outbox.add({ rating: RATING });
  const second = outbox.add({ rating: { ...RATING, video: "b" } });
  assert.equal(outbox.drop(first.id), false);
  assert.equal(outbox.drop(second.id), true);
  assert.equal(await second.stored, null);
  finish();
  assert.deepEqual(await first.stored, { key: 1 });
  assert.equal(outbox.drop(first.id), false);
});

test("a full storage does not keep a rating from being sent", async () => {
  const store = makeStore();
  store.setItem = () => {
    throw new Error("full");
  };
  const outbox = new Outbox({ project: "p", store, send: async () => ({ key: 3 }) });
  assert.deepEqual(await outbox.add({ rating: RATING }).stored, { key: 3 });
});

test("what may go away by itself is told from refusals", () => {
  assert.deepEqual([0, 401, 429, 500, 503].map((status) => isPassing(failure(status))), Array(5).fill(true));
  assert.deepEqual([404, 409, 422].map((status) => isPassing(failure(status))), Array(3).fill(false));
  assert.equal(isPassing(new TypeError("network")), true);
});
