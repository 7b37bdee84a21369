import assert from "node:assert/strict";
import { test } from "node:test";
import { keyName, shownKey } from "../../../reeltag/server/static/keys.js";

const name = (key, shiftKey = false) => keyName({ key, shiftKey });

test("letters are one key with caps lock and without", () => {
  assert.equal(name("a"), "a");
  assert.equal(name("A"), "a");
  assert.equal(name("A", true), "shift+a");
});

test("signs come as they are typed, named keys with shift", () => {
  assert.equal(name("?", true), "?");
  assert.equal(name("+", true), "+");
  assert.equal(name("ArrowLeft", true), "shift+ArrowLeft");
  assert.equal(name(" "), " ");
});

test("keys are shown as they are printed on a keyboard", () => {
  assert.deepEqual(["shift+ArrowLeft", "+", "y", " ", "shift+a"].map(shownKey), ["Shift + ←", "+", "Y", "space", "Shift + A"]);
});
