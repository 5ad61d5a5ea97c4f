// One key, one thing; not while somebody types, and not for who has switched it off.

import { askedFor, byId, remembered } from "./dom.js";

const OWN = "input:not([type=range], [type=checkbox]), select, textarea";

export function showHelp() {
  return askedFor(byId("help-dialog"));
}

export function listenToKeys(review, shown) {
  const box = byId("single-keys");
  box.checked = remembered("single-keys", "yes") === "yes";
  box.onchange = () => localStorage.setItem("single-keys", box.checked ? "yes" : "no");
  const actions = {
    y: () => review.judge("right"),
    n: () => review.judge("wrong"),
    l: () => review.toggleEditor(),
    j: () => review.list.move(1),
    k: () => review.list.move(-1),
    u: () => review.undo(),
    p: () => review.player.toggle(),
    " ": () => review.player.toggle(),
    ArrowLeft: () => review.player.step(-1),
    ArrowRight: () => review.player.step(1),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !box.checked) return;
    if (document.querySelector("dialog[open]") || event.target.closest(OWN)) return;
    if (event.key === "?") showHelp();
    else if (shown() === "review" && actions[event.key] && !ownedByTarget(event)) actions[event.key]();
    else return;
    event.preventDefault();
  });
}

function ownedByTarget(event) {
  // Space presses a button, arrows move a slider
  const control = event.target.closest("button, a, input");
  return control !== null && (event.key === " " || event.key.startsWith("Arrow"));
}
