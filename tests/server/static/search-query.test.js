import assert from "node:assert/strict";
import { test } from "node:test";

import {
  exportAddress, isAsked, momentAddress, pageAddress, readQuery, resultsAddress,
} from "../../../reeltag/server/static/search-query.js";

test("an address is read and written again without loss", () => {
  const address = "/search?class=dog+%26+cat&threshold=0.35&search=film";
  const query = readQuery(address.slice("/search".length));
  assert.equal(query.class_name, "dog & cat");
  assert.equal(pageAddress(query), address);
  assert.equal(isAsked(query), true);
  assert.equal(isAsked(readQuery("?search=film")), false);
});

test("a moment to look like keeps its second", () => {
  const query = readQuery("?video=a/b.mp4&at=12.5");
  assert.deepEqual([query.video, query.at, query.threshold], ["a/b.mp4", 12.5, null]);
  assert.equal(resultsAddress(query, 48), "/api/search?video=a%2Fb.mp4&at=12.5&offset=48&limit=48");
});

test("a threshold that is no number is not asked for", () => {
  assert.equal(readQuery("?class=dog&threshold=high").threshold, null);
  assert.equal(readQuery("?class=dog&threshold=").threshold, null);
  assert.equal(readQuery("?class=dog&threshold=0").threshold, 0);
});

test("what is exported is what is shown: its threshold too", () => {
  const query = readQuery("?class=dog");
  assert.equal(exportAddress(query, 0.62, "csv"), "/api/search/export?class=dog&threshold=0.62&format=csv");
});

test("a moment opens in its video at its start", () => {
  const moment = { video: "a b", start_s: 1.234, class_name: "dog" };
  assert.equal(momentAddress(moment), "/video?id=a+b&at=1.23&class=dog");
});
