// Plays a clip; its place in the clip is told on every frame while it plays.

import { ask } from "./api.js";
import { byId, remembered, say } from "./dom.js";
import { seconds } from "./words.js";

export class Player {
  constructor(onMove) {
    this.audio = byId("audio");
    this.button = byId("play");
    this.slider = byId("position");
    this.onMove = onMove;
    this.length = 0;
    this.atOnce = byId("at-once");
    this.atOnce.checked = remembered("at-once", "no") === "yes";
    this.atOnce.onchange = () => localStorage.setItem("at-once", this.atOnce.checked ? "yes" : "no");
    this.button.onclick = () => this.toggle();
    this.slider.oninput = () => this.seek(Number(this.slider.value));
    for (const name of ["play", "pause", "ended"]) this.audio.addEventListener(name, () => this.#changed());
  }

  async load(clip) {
    // as a blob: the address of the audio cannot carry the token
    this.audio.pause();
    this.length = clip.seconds;
    this.slider.max = clip.seconds;
    this.wanted = clip.id;
    this.#tell(0);
    try {
      const content = await (await ask(`clips/${clip.id}/audio`)).blob();
      if (this.wanted !== clip.id) return;
      URL.revokeObjectURL(this.audio.src);
      this.audio.src = URL.createObjectURL(content);
    } catch (error) {
      say(`No audio: ${error.message}`, true);
      return;
    }
    if (this.atOnce.checked) this.play();
  }

  play() {
    return this.audio.play().catch((error) => say(`Cannot play: ${error.message}`, true));
  }

  toggle() {
    if (this.audio.paused) this.play();
    else this.audio.pause();
  }

  seek(at) {
    this.audio.currentTime = Math.max(0, Math.min(this.length, at));
    this.#tell(this.audio.currentTime);
  }

  step(by) {
    this.seek(this.audio.currentTime + by);
  }

  #changed() {
    const playing = !this.audio.paused && !this.audio.ended;
    this.button.classList.toggle("playing", playing);
    this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
    if (playing) this.#follow();
  }

  #follow() {
    this.#tell(this.audio.currentTime);
    if (!this.audio.paused) requestAnimationFrame(() => this.#follow());
  }

  #tell(at) {
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", `${seconds(at)} of ${seconds(this.length)}`);
    byId("time").textContent = `${at.toFixed(1)} / ${seconds(this.length)}`;
    this.onMove(at);
  }
}
