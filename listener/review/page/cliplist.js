// The list of clips beside the one that is shown.

import { read } from "./api.js";
import { byId, element, say } from "./dom.js";
import { heardIn, moment, whatOf } from "./words.js";

const PORTION = 50;
const paths = {
  queue: `queue?limit=${PORTION}`,
  newest: `clips?limit=${PORTION}`,
  judged: `clips?limit=${PORTION}&verdict=any`,
};

export class ClipList {
  // `onShow` gets the clip to show, `onEmpty` is called when there is none
  constructor(onShow, onEmpty) {
    this.clips = [];
    this.turn = 0; // of what was asked for last: an earlier one's answer, come late, changes nothing
    this.onShow = onShow;
    this.onEmpty = onEmpty;
    byId("choice").onchange = () => this.load();
    byId("more").onclick = () => this.#more();
  }

  get #choice() { return byId("choice").value; }

  async load() {
    const turn = ++this.turn;
    const clips = await this.#fetch(paths[this.#choice]);
    if (turn !== this.turn) return;
    this.clips = clips;
    this.current = clips[0]?.id;
    this.#draw();
    this.#showCurrent();
  }

  async jump(id) {
    // show a clip by its id; the list is fetched if there is none yet
    const turn = ++this.turn;
    if (id === this.current) return; // to show it anew would close an editor that is open for it
    const clips = this.clips.length ? this.clips : await this.#fetch(paths[this.#choice]);
    const clip = await read(`clips/${id}`).catch((error) => say(`No such clip: ${error.message}`, true));
    if (turn !== this.turn) return;
    if (!this.clips.length) this.clips = clips;
    if (clip) this.put(clip);
    else this.#draw();
  }

  async #fetch(path) {
    try {
      const found = await read(path);
      byId("more").hidden = this.#choice === "queue" || found.length < PORTION;
      return found;
    } catch (error) {
      say(error.message, true);
      return [];
    }
  }

  async #more() {
    this.clips.push(...await this.#fetch(`${paths[this.#choice]}&after=${this.clips.at(-1).id}`));
    this.#draw();
  }

  put(clip) {
    // show a clip, whether or not it is in the list
    const at = this.clips.findIndex((known) => known.id === clip.id);
    if (at < 0) this.clips.unshift(clip);
    else this.clips[at] = clip;
    this.current = clip.id;
    this.#draw();
    this.#showCurrent();
  }

  judged(clip) {
    this.clips = this.clips.map((known) => (known.id === clip.id ? clip : known));
    this.#draw();
  }

  move(by) {
    const at = this.clips.findIndex((clip) => clip.id === this.current) + by;
    if (at >= this.clips.length && this.#choice === "queue") {
      this.load();
    } else if (this.clips[at]) {
      this.current = this.clips[at].id;
      this.#draw();
      this.#showCurrent();
    }
  }

  #showCurrent() {
    this.turn += 1;
    const clip = this.clips.find((known) => known.id === this.current);
    if (clip) this.onShow(clip);
    else this.onEmpty();
  }

  #draw() {
    const hadFocus = byId("clips").contains(document.activeElement);
    byId("clips").replaceChildren(...this.clips.map((clip) => this.#row(clip)));
    const judged = this.clips.filter((clip) => clip.verdict).length;
    byId("progress").textContent = this.clips.length ? `${judged} of ${this.clips.length} judged` : "";
    const chosen = byId("clips").querySelector("[aria-current]");
    chosen?.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (hadFocus) chosen?.focus();
  }

  #row(clip) {
    const shown = clip.id === this.current;
    return element("li", {}, element("button", {
      type: "button", "aria-current": shown ? "true" : null, onclick: () => this.put(clip),
    },
      element("span", { class: "what" }, whatOf(clip)),
      element("span", { class: `mark ${clip.verdict?.value ?? ""}` }, clip.verdict ? heardIn(clip) : clip.score?.toFixed(2) ?? ""),
      element("span", { class: "when" }, `${clip.source}, ${moment(clip.captured_at)}`)));
  }
}
