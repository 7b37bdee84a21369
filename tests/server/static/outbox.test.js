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
    pending: new Set(),
    query: async function () {
      const named = (names) => [...names].map((name) => ({ name }));
      return { held: named(held.keys()), pending: named(this.pending) };
    },
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
  assert.equal(store.items.size, 2); // a later page takes it back, too
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

/** A server that stores a rating once for each id, loses answers, and what it has stored. */
function makeForgetfulServer() {
  const stored = new Map();
  const server = {
    sent: 0,
    losses: 0,
    stored,
    send: async (message, id) => {
      server.sent += 1;
      if ("undo" in message) {
        for (const [known, key] of stored) if (key === message.undo) stored.delete(known);
        return { key: 99 }; // the one before counts again
      }
      if (!stored.has(id)) stored.set(id, stored.size + 1);
      if (server.losses-- > 0) throw failure(0);
      return { key: stored.get(id) };
    },
  };
  return server;
}

test("a rating whose answer was lost is sent again under the same id", async () => {
  const server = makeForgetfulServer();
  server.losses = 2;
  const outbox = new Outbox({ project: "p", store: makeStore(), send: server.send, retryMs: [1] });
  assert.deepEqual(await outbox.add({ rating: RATING }).stored, { key: 1 });
  assert.deepEqual([server.sent, server.stored.size], [3, 1]);
});

test("a rating whose answer was lost is taken back, that one alone", async () => {
  const [server, store] = [makeForgetfulServer(), makeStore()];
  const outbox = new Outbox({ project: "p", store, send: server.send, retryMs: [1e6] });
  await outbox.add({ rating: RATING }).stored;
  server.losses = 1;
  const lost = outbox.add({ rating: { ...RATING, answer: "no" } });
  await settled();
  const taken_back = outbox.takeBack(lost.id);
  assert.equal([...store.items.values()].map(JSON.parse)[0].is_taken_back, true);
  await outbox.flush();
  await taken_back;
  assert.equal(await lost.stored, null); // not the one before, which counts again
  assert.deepEqual([...server.stored.values()], [1]);
  assert.deepEqual([outbox.waiting, store.items.size], [0, 0]);
});

test("a rating that the server was not asked for again is taken back by a later page", async () => {
  const [server, store] = [makeForgetfulServer(), makeStore()];
  server.losses = 1;
  const closed = new Outbox({ project: "p", store, send: server.send, retryMs: [1e6] });
  const { id } = closed.add({ rating: RATING });
  await settled();
  void closed.takeBack(id);
  closed.stop();
  await new Outbox({ project: "p", store, send: server.send }).flush();
  assert.deepEqual([server.stored.size, store.items.size], [0, 0]);
});

test("a page that was held for closed asks for what another one has sent of it", async () => {
  const [server, store, locks] = [makeForgetfulServer(), makeStore(), makeLocks()];
  const shared = { project: "p", store, locks, retryMs: [1e6] };
  let is_down = true;
  const one = new Outbox({ ...shared, send: async (...of) => (is_down ? Promise.reject(failure(503)) : server.send(...of)) });
  const { id, stored } = one.add({ rating: RATING });
  await settled();
  locks.held.delete(one.store.lockOf(one.page)); // as of a page that the browser has put to sleep
  const other = new Outbox({ ...shared, send: server.send });
  await other.flush();
  assert.deepEqual([server.stored.size, store.items.size], [1, 0]);
  is_down = false;
  await one.flush();
  one.stop();
  assert.deepEqual([await stored, server.stored.size], [{ key: 1 }, 1]);
  await one.takeBack(id);
  assert.equal(server.stored.size, 0);
});

test("a page that was held for closed sends what another one has taken over, once", async () => {
  const [server, store, locks] = [makeForgetfulServer(), makeStore(), makeLocks()];
  let is_down = true;
  const send = async (...of) => (is_down ? Promise.reject(failure(503)) : server.send(...of));
  const shared = { project: "p", store, locks, send, retryMs: [1e6] };
  const one = new Outbox(shared);
  const { stored } = one.add({ rating: RATING });
  await settled();
  locks.held.delete(one.store.lockOf(one.page));
  const other = new Outbox(shared);
  await other.flush();
  assert.deepEqual([one.waiting, other.waiting], [1, 1]);
  is_down = false;
  await Promise.all([one.flush(), other.flush()]);
  for (const page of [one, other]) page.stop();
  assert.deepEqual([await stored, server.sent, other.waiting], [{ key: 1 }, 1, 0]);
});

test("a page whose lock is not granted yet is open", async () => {
  const [store, locks, sent] = [makeStore(), makeLocks(), []];
  const opening = new Outbox({ project: "p", store, send: () => Promise.reject(failure(0)), locks, retryMs: [1e6] });
  opening.add({ rating: RATING });
  await settled();
  locks.held.delete(opening.store.lockOf(opening.page));
  locks.pending.add(opening.store.lockOf(opening.page));
  await new Outbox({ project: "p", store, send: async (message) => sent.push(message), locks }).flush();
  opening.stop();
  assert.deepEqual(sent, []);
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
