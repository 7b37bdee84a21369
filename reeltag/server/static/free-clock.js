/** Plays where there is no file: time goes on, as a video element's does. */

export class FreeClock extends EventTarget {
  #time = 0;
  #since = 0;
  #rate = 1;
  paused = true;
  seeking = false;
  muted = true;
  videoWidth = 0;

  /**
   * @param {number} duration seconds
   * @param {() => number} [now] milliseconds
   */
  constructor(duration, now = () => performance.now()) {
    super();
    this.duration = duration;
    this.now = now;
  }

  get currentTime() {
    if (this.paused) return this.#time;
    const time = this.#time + ((this.now() - this.#since) / 1000) * this.#rate;
    if (time < this.duration) return time;
    this.#time = this.duration;
    this.paused = true;
    this.dispatchEvent(new Event("pause"));
    return this.#time;
  }

  set currentTime(time) {
    this.#time = Math.min(Math.max(0, time), this.duration);
    this.#since = this.now();
    this.dispatchEvent(new Event("seeked"));
  }

  get playbackRate() {
    return this.#rate;
  }

  set playbackRate(rate) {
    this.currentTime = this.currentTime;
    this.#rate = rate;
  }

  async play() {
    if (!this.paused) return;
    if (this.#time >= this.duration) this.#time = 0;
    this.#since = this.now();
    this.paused = false;
    this.dispatchEvent(new Event("play"));
  }

  pause() {
    if (this.paused) return;
    this.#time = this.currentTime;
    this.paused = true;
    this.dispatchEvent(new Event("pause"));
  }
}
