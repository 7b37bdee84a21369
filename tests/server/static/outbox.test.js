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

/** A server that answers when it is told to, and what it was sent. */
function makeServer() {
  const sent = [];
  const send = (message) => new Promise((resolve, reject) => sent.push({ message, resolve, reject }));
  return { sent, send };
}

/** Locks as the browser's, of pages that are open. */
function makeLocks() {
  const held = new Map();
  return {
    held,
    query: async () => ({ held: [...held.keys()].map((name) => ({ name })) }),
    request: async (name, run) => {
      while (held.has(name)) await held.get(name);
      const work = run();
      held.set(name, work);
      await work;
      held.delete(name);
    },
  };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

test("a rating that is taken back before it is sent is never sent", async () => {
  const { sent, send } = makeServer();
  const outbox = new Outbox({ project: "p", store: makeStore(), send });
  const first = outbox.add({ rating: RATING });
  const second = outbox.add({ rating: { ...RATING, video: "b" } });
  await outbox.takeBack(second.id);
  assert.equal(await second.stored, null);
  sent[0].resolve({ key: 1 });
  assert.deepEqual(await first.stored, { key: 1 });
  await settled();
  assert.equal(sent.length, 1);
});

test("a rating on its way behind a refused one is taken back once it is stored", async () => {
  const store = makeStore();
  const { sent, send } = makeServer();
  const outbox = new Outbox({ project: "p", store, send });
  outbox.add({ rating: RATING });
  const second = outbox.add({ rating: { ...RATING, video: "b" } });
  sent[0].reject(failure(422));
  await settled();
  const taken_back = outbox.takeBack(second.id);
  assert.equal(store.items.size, 1); // the refused one: no later page sends the other
  sent[1].resolve({ key: 8 });
  await settled();
  assert.deepEqual(sent[2].message, { undo: 8 });
  assert.equal(store.items.size, 2); // until the server has said so, it is kept
  sent[2].resolve(null);
  await taken_back;
  assert.equal(await second.stored, null);
  assert.deepEqual(outbox.refused.map((of) => of.message.rating.video), ["a"]);
});

test("a rating that is stored is taken back by its key", async () => {
  const { sent, send } = makeServer();
  const outbox = new Outbox({ project: "p", store: makeStore(), send });
  const { id, stored } = outbox.add({ rating: RATING });
  sent[0].resolve({ key: 5 });
  await stored;
  const taken_back = outbox.takeBack(id);
  await settled();
  assert.deepEqual(sent[1].message, { undo: 5 });
  sent[1].resolve(null);
  await taken_back;
  assert.equal(outbox.waiting, 0);
});

test("taking back what does not count any more is done, not refused", async () => {
  for (const status of [404, 409]) {
    const store = makeStore();
    const outbox = new Outbox({ project: "p", store, send: () => Promise.reject(failure(status)) });
    assert.equal(await outbox.add({ undo: 7 }).stored, null);
    assert.deepEqual([outbox.waiting, outbox.refused.length, store.items.size], [0, 0, 0]);
  }
});

test("of two open pages each sends its own ratings, and none is sent twice", async () => {
  const [store, locks, sent] = [makeStore(), makeLocks(), []];
  let is_down = true;
  const send = async (message) => {
    if (is_down) throw failure(0);
    sent.push(message.rating.video);
    return { key: sent.length };
  };
  const one = new Outbox({ project: "p", store, send, locks, retryMs: [1e6] });
  const { stored } = one.add({ rating: RATING });
  await settled();
  const other = new Outbox({ project: "p", store, send, locks, retryMs: [1e6] });
  other.add({ rating: { ...RATING, video: "b" } });
  await settled();
  is_down = false;
  await Promise.all([other.flush(), one.flush()]);
  assert.deepEqual(sent, ["b", "a"]);
  assert.deepEqual(await stored, { key: 2 }); // so it can be taken back where it was given
  one.stop();
  other.stop();
});

test("what a closed page has left is sent by one of those that are open", async () => {
  const [store, locks, sent] = [makeStore(), makeLocks(), []];
  const closed = new Outbox({ project: "p", store, send: () => Promise.reject(failure(0)), locks, retryMs: [1e6] });
  closed.add({ rating: RATING });
  await settled();
  closed.stop();
  locks.held.delete(closed.store.lockOf(closed.page));
  const send = async (message) => {
    sent.push(message.rating.video);
    await settled();
    return { key: 1 };
  };
  const pages = [1, 2].map(() => new Outbox({ project: "p", store, send, locks }));
  await Promise.all(pages.map((page) => page.flush()));
  assert.deepEqual(sent, ["a"]);
  assert.equal(store.items.size, 0);
});

test("a project whose name begins with another's keeps its ratings", async () => {
  const store = makeStore();
  const down = { store, send: () => Promise.reject(failure(503)), retryMs: [1e6] };
  const longer = new Outbox({ ...down, project: "p.q" });
  longer.add({ rating: RATING });
  await settled();
  longer.stop();
  assert.equal(new Outbox({ ...down, project: "p" }).waiting, 0);
  assert.equal(new Outbox({ ...down, project: "p.q" }).waiting, 1);
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
