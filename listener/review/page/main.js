// Starts the page: asks the station what it is, and shows the view that the address names.

import { askWho, read, setClock } from "./api.js";
import { byId, say } from "./dom.js";
import { Events } from "./events.js";
import { listenToKeys, showHelp } from "./keys.js";
import { Live } from "./live.js";
import { Review } from "./review.js";
import { setLabels } from "./words.js";

function chosen() {
  const [view, id] = location.hash.slice(1).split("/");
  return { view: ["review", "live", "events"].includes(view) ? view : "review", id };
}

function show(views) {
  const { view, id } = chosen();
  for (const name of Object.keys(views)) {
    byId(`view-${name}`).hidden = name !== view;
    document.querySelector(`nav a[href="#${name}"]`).removeAttribute("aria-current");
    if (name !== view) views[name].close?.();
  }
  document.querySelector(`nav a[href="#${view}"]`).setAttribute("aria-current", "page");
  scrollTo(0, 0);
  views[view].open(id);
}

async function start() {
  byId("open-help").onclick = showHelp;
  byId("open-token").onclick = askWho;
  document.querySelector(".skip").onclick = (event) => { event.preventDefault(); byId("main").focus(); };
  const station = await read("station");
  setClock(station.now);
  setLabels(station.labels);
  byId("station").textContent = station.station;
  document.title = `${station.station} · Earshot`;
  const views = {
    review: new Review(station),
    live: new Live(station),
    events: new Events(station, (id) => { location.hash = `review/${id}`; }),
  };
  listenToKeys(views.review, () => chosen().view);
  addEventListener("hashchange", () => show(views));
  show(views);
}

start().catch((error) => say(`The station does not answer: ${error.message}`, true));
