/** Asks the server: JSON, changes, and the events of jobs.
 *
 *     const list = await getJson("/api/videos", { search: "cat", offset: 60 });
 *     const rating = await send("POST", "/api/ratings", { ... });    // throws ApiError with a hint
 *     const view = embedded("view");      // what base.html's data("view", view) put into the page
 *     onJob((job) => ...);                // each change of a job; one connection for the page
 */
import { JobFeed } from "./job-feed.js";

/** @typedef {import("./views").JobView} JobView */
/** @typedef {import("./views").ProjectView} ProjectView */

/** What the server refused, in its words. */
export class ApiError extends Error {
  /**
   * @param {string} what is wrong
   * @param {string} hint the way out; "" = none
   * @param {number} status of HTTP; 0 = the server could not be reached
   */
  constructor(what, hint, status) {
    super(what);
    this.hint = hint;
    this.status = status;
  }

  /** @returns {string} both in one line */
  get words() {
    return this.hint ? `${this.message}. ${this.hint}` : this.message;
  }
}

/**
 * Returns an address with its query; null, undefined and "" are left out, arrays are repeated.
 * @param {string} path
 * @param {Record<string, any>} [params]
 * @returns {string}
 */
export function address(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const of of Array.isArray(value) ? value : [value]) {
      if (of !== null && of !== undefined && of !== "") query.append(name, String(of));
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/**
 * Returns what the server has at an address.
 * @param {string} path
 * @param {Record<string, any>} [params]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export function getJson(path, params = {}, signal = undefined) {
  return request(address(path, params), { headers: { accept: "application/json" }, signal });
}

/**
 * Sends a change, and returns what the server says of it; null = nothing.
 * @param {"POST" | "DELETE"} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
export function send(method, path, body = undefined) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json", "x-reeltag": "1" };
  if (body !== undefined) headers["content-type"] = "application/json";
  return request(path, { method, headers, body: body && JSON.stringify(body), keepalive: true });
}

/**
 * Sends files to /api/upload; returns the job that extracts them.
 * @param {Iterable<File>} files
 * @returns {Promise<JobView>}
 */
export function upload(files) {
  const body = new FormData();
  for (const file of files) body.append("file", file);
  return request("/api/upload", { method: "POST", headers: { accept: "application/json", "x-reeltag": "1" }, body });
}

/** @param {string} path @param {RequestInit} how @returns {Promise<any>} */
async function request(path, how) {
  let response;
  try {
    response = await fetch(path, how);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("the server cannot be reached", "Is reeltag serve still running?", 0);
  }
  const text = await response.text();
  let data;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(`the server sent no JSON (${response.status})`, "", response.status);
  }
  if (response.ok) return data;
  throw new ApiError(data?.error ?? response.statusText, data?.hint ?? "", response.status);
}

/**
 * Returns words for anything that was thrown.
 * @param {unknown} error
 * @returns {string}
 */
export function errorWords(error) {
  if (error instanceof ApiError) return error.words;
  return error instanceof Error ? error.message : String(error);
}

/**
 * Returns the JSON that the page was made with; null = it has none of this name.
 * @param {string} id
 * @returns {any}
 */
export function embedded(id) {
  const text = document.getElementById(id)?.textContent;
  return text ? JSON.parse(text) : null;
}

/**
 * Returns what every page knows of the project; null on an error page.
 * @returns {ProjectView | null}
 */
export function project() {
  return embedded("project");
}

const AGAIN_MS = 5000; // until a connection that was refused is tried again

/** @type {JobFeed | null} */
let feed = null;
/** @type {EventSource | null} */
let source = null;

/**
 * Calls a function with each change of a job, first with those that run; returns what ends that.
 * The browser connects again by itself where the connection is lost; pages that nobody looks at
 * have none, for a browser opens only six to a server. What has changed without a connection is
 * told once there is one.
 * @param {(job: JobView) => void} listener
 * @returns {() => void}
 */
export function onJob(listener) {
  if (!feed) {
    feed = new JobFeed(project()?.jobs ?? []);
    void look();
    connect();
    document.addEventListener("visibilitychange", connect);
    addEventListener("pagehide", disconnect);
    addEventListener("pageshow", connect);
  }
  return feed.listen(listener);
}

/** Asks for all jobs: events tell only of those that run. */
async function look() {
  try {
    feed?.takeAll(await getJson("/api/jobs"));
  } catch {
    // the server is away: the next connection asks again
  }
}

/** Connects or disconnects, as the page is seen or not. */
function connect() {
  if (document.hidden) disconnect();
  else if (!source) {
    const opened = new EventSource("/api/jobs/events");
    source = opened;
    opened.onopen = () => void look();
    opened.onmessage = (event) => feed?.take(JSON.parse(event.data));
    opened.onerror = () => {
      if (opened.readyState !== EventSource.CLOSED || source !== opened) return; // it connects again by itself
      source = null;
      setTimeout(connect, AGAIN_MS);
    };
  }
}

function disconnect() {
  source?.close();
  source = null;
}
