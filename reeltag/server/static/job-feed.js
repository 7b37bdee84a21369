/** What pages are told of jobs: each change once, also of what came about while nobody listened. Pure. */

/** @typedef {import("./views").JobView} JobView */
/** @typedef {(job: JobView) => void} JobListener */

/**
 * Returns whether a job runs or waits.
 * @param {JobView} job
 * @returns {boolean}
 */
export function isActive(job) {
  return job.state === "running" || job.state === "waiting";
}

export class JobFeed {
  /** @type {Set<JobListener>} */
  #listeners = new Set();
  /** @type {Map<string, JobView>} what listeners were told */
  #told = new Map();
  /** @type {Set<string> | null} jobs that had ended before the page looked; null: it has not yet */
  #earlier = null;

  /** @param {readonly JobView[]} first that run or wait */
  constructor(first) {
    for (const job of first) this.#told.set(job.key, job);
  }

  /**
   * Call a function with each change of a job, first with what is known.
   * @param {JobListener} listener
   * @returns {() => void} ends that
   */
  listen(listener) {
    this.#listeners.add(listener);
    for (const job of this.#told.values()) listener(job);
    return () => this.#listeners.delete(listener);
  }

  /** @param {JobView} job as an event tells it */
  take(job) {
    if (!isNews(this.#told.get(job.key), job)) return;
    this.#told.set(job.key, job);
    for (const listener of this.#listeners) listener(job);
  }

  /**
   * Take the list of all jobs: what has ended while nobody listened is told now.
   * @param {readonly JobView[]} jobs the last one first
   */
  takeAll(jobs) {
    const oldest_first = [...jobs].reverse();
    this.#earlier ??= new Set(oldest_first.filter((job) => !isActive(job) && !this.#told.has(job.key)).map((job) => job.key));
    for (const job of oldest_first) if (!this.#earlier.has(job.key)) this.take(job);
  }
}

/**
 * Returns whether a job has changed: lists and events may arrive in another order than they were sent.
 * @param {JobView | undefined} before
 * @param {JobView} job
 * @returns {boolean}
 */
function isNews(before, job) {
  if (!before) return true;
  const [was, is] = [before, job].map((of) => ["waiting", "running"].indexOf(of.state));
  if (was < 0) return false; // it has ended
  return is < 0 || is > was || (is === was && job.seconds >= before.seconds);
}
