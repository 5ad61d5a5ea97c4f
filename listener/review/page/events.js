// What was heard, and when: a lane for each source, and a table.

import { read, stationNow } from "./api.js";
import { byId, element, say } from "./dom.js";
import { colourOf } from "./palette.js";
import { labelName, moment, seconds } from "./words.js";

const ROWS = 100;
const TICKS = 4;
const REFRESH_MS = 5000;

export class Events {
  constructor(station, onClip) {
    this.sources = Object.keys(station.sources);
    this.onClip = onClip;
    byId("span").onchange = () => this.#draw();
  }

  open() {
    this.close();
    this.#load();
    this.timer = setInterval(() => this.#load(), REFRESH_MS);
  }

  close() {
    clearInterval(this.timer);
  }

  async #load() {
    try {
      const events = await read("events");
      const changed = JSON.stringify(events) !== JSON.stringify(this.events);
      this.events = events;
      if (changed) this.#draw();
    } catch (error) {
      say(error.message, true);
    }
  }

  #draw() {
    const span = Number(byId("span").value);
    const now = stationNow();
    const shown = this.events.filter((event) => (event.offset ?? now) > now - span);
    byId("no-events").hidden = shown.length > 0;
    byId("lanes").replaceChildren(
      ...this.sources.map((source) => this.#lane(source, shown, now, span)), this.#hours(now, span));
    byId("event-rows").replaceChildren(...shown.slice(0, ROWS).map((event) => this.#row(event)));
  }

  #lane(source, events, now, span) {
    const bar = element("div", { class: "bar" });
    for (const event of events.filter((known) => known.source === source)) {
      const mark = element("i", { title: `${labelName(event.label)}, ${moment(event.onset)}` });
      const left = Math.max(0, (event.onset - (now - span)) / span);
      mark.style.left = `${100 * left}%`;
      mark.style.width = `${(100 * ((event.offset ?? now) - Math.max(event.onset, now - span))) / span}%`;
      mark.style.background = colourOf(event.label);
      bar.append(mark);
    }
    return element("div", { class: "lane" }, element("span", {}, source), bar);
  }

  #hours(now, span) {
    const hours = element("div", { class: "hours" });
    for (let tick = 0; tick < TICKS; tick += 1) {
      const share = (tick + 0.5) / TICKS;
      const text = element("span", {}, tickText(now - span * (1 - share), span));
      text.style.left = `${100 * share}%`;
      hours.append(text);
    }
    return element("div", { class: "lane" }, element("span"), hours);
  }

  #row(event) {
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = colourOf(event.label);
    const clip = event.clip === null || event.offset === null ? "" : element("button", {
      type: "button", class: "quiet", "aria-label": `Listen to ${labelName(event.label)}, ${moment(event.onset)}`,
      onclick: () => this.onClip(event.clip),
    }, "Listen");
    const length = event.offset === null ? "still on" : seconds(event.offset - event.onset);
    const cells = [moment(event.onset), element("span", {}, swatch, labelName(event.label)), event.source, length,
      event.peak_score.toFixed(2), clip];
    return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
  }
}

function tickText(unix, span) {
  const form = span > 86400 ? { weekday: "short", hour: "2-digit" } : { hour: "2-digit", minute: "2-digit" };
  return new Date(unix * 1000).toLocaleString([], form);
}
