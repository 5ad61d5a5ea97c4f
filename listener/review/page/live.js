// What each source hears now. The stream is open only while this view is shown.

import { ask, command } from "./api.js";
import { byId, element, say } from "./dom.js";
import { bytesOf, imageOf } from "./palette.js";
import { labelName, setLabels } from "./words.js";

const SECONDS = 15;
const FRAMES = SECONDS * 100; // of 10 ms
const BANDS = 64;
const FLOOR_DBFS = -80;
const RETRY_MS = 3000;
const SNAPSHOT_SECONDS = 10;

class SourceCard {
  constructor(name, status, mayCommand) {
    this.active = new Set();
    this.canvas = element("canvas", { width: FRAMES, height: BANDS, role: "img", "aria-label": `Spectrogram of the last ${SECONDS} seconds of ${name}` });
    this.pen = this.canvas.getContext("2d");
    this.fill = element("i");
    this.meter = element("div", {
      class: "track", role: "meter", "aria-label": `Level of ${name}`, "aria-valuemin": FLOOR_DBFS, "aria-valuemax": 0, "aria-valuenow": FLOOR_DBFS,
    }, this.fill);
    this.number = element("span", { class: "number" }, "–");
    this.tops = element("ol", { class: "tops", "aria-label": `Top scores of ${name}` });
    this.state = element("span", { class: "note" }, status);
    this.card = element("li", { class: status },
      element("div", { class: "source-head" }, element("span", { class: "dot" }), element("h2", {}, name), this.state),
      this.canvas,
      element("div", { class: "level" }, this.meter, this.number),
      this.tops,
      mayCommand ? element("div", { class: "missed" }, element("button", {
        type: "button", onclick: () => missed(name),
      }, "Something was missed", element("span", { class: "unseen" }, ` on ${name}`))) : null);
  }

  setStatus(status) {
    this.card.className = status;
    this.state.textContent = status;
  }

  setActive(event) {
    if (event.offset === null) this.active.add(event.label);
    else this.active.delete(event.label);
  }

  hear(patch) {
    const image = imageOf(bytesOf(patch.log_mel), BANDS);
    this.pen.drawImage(this.canvas, -image.width, 0);
    this.pen.putImageData(image, FRAMES - image.width, 0);
    const level = Math.max(FLOOR_DBFS, patch.level_dbfs);
    this.fill.style.width = `${100 * (1 - level / FLOOR_DBFS)}%`;
    this.meter.setAttribute("aria-valuenow", level);
    this.number.textContent = `${patch.level_dbfs.toFixed(1)} dBFS`;
    this.tops.replaceChildren(...patch.top.map((top) => this.#top(...top)));
  }

  #top(label, score) {
    const bar = element("i");
    bar.style.width = `${100 * score}%`;
    return element("li", { class: this.active.has(label) ? "active" : null },
      element("span", {}, labelName(label)),
      element("span", { class: "track", "aria-hidden": "true" }, bar),
      element("span", { class: "number" }, score.toFixed(2)));
  }
}

async function missed(source) {
  try {
    await command("snapshot", () => ({ source, seconds: SNAPSHOT_SECONDS }));
    say(`The last ${SNAPSHOT_SECONDS} seconds of ${source} are kept, and first in the queue`);
  } catch (error) {
    say(`Not kept: ${error.message}`, true);
  }
}

export class Live {
  constructor(station) {
    this.cards = new Map(Object.entries(station.sources).map(([name, status]) =>
      [name, new SourceCard(name, status, station.commands && station.clips !== null)]));
    byId("sources").replaceChildren(...[...this.cards.values()].map((source) => source.card));
  }

  open() {
    if (this.stopping) return;
    this.stopping = new AbortController();
    this.#follow(this.stopping.signal);
  }

  close() {
    this.stopping?.abort();
    this.stopping = null;
  }

  async #follow(signal) {
    while (!signal.aborted) {
      try {
        const answer = await ask("live", { signal });
        byId("live-state").textContent = "";
        await this.#readLines(answer.body.getReader());
      } catch (error) {
        if (signal.aborted) return;
        byId("live-state").textContent = `The station does not answer (${error.message}); trying again …`;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #readLines(reader) {
    const decoder = new TextDecoder();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + decoder.decode(part.value, { stream: true })).split("\n");
      rest = lines.pop();
      lines.forEach((line) => this.#take(JSON.parse(line)));
    }
  }

  #take(line) {
    if (line.kind === "bundle") setLabels(line.labels);
    const source = this.cards.get(line.source);
    if (line.kind === "patch") source.hear(line);
    if (line.kind === "status") source.setStatus(line.status);
    if (line.kind === "event") source.setActive(line);
  }
}
