// The form in which a person says what a clip really holds.

import { byId, element } from "./dom.js";
import { isKnown, labelName, labelNames, slugOf } from "./words.js";

export class Editor {
  // `onKeep` gets the labels with their spans, `onShow` the span that is being edited
  constructor(onKeep, onShow) {
    this.form = byId("editor");
    this.opener = byId("other");
    this.onShow = onShow;
    this.newLabels = false;
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.#keep(onKeep); });
    this.form.addEventListener("input", () => this.#showSpan());
    this.form.addEventListener("focusin", (event) => {
      this.active = event.target.closest("fieldset") ?? this.active;
      this.#showSpan();
    });
    this.form.addEventListener("keydown", (event) => { if (event.key === "Escape") this.close(); });
  }

  setLabels() {
    byId("label-names").replaceChildren(
      ...Object.values(labelNames()).map((name) => element("option", { value: name })));
  }

  get isOpen() { return !this.form.hidden; }

  open(clip) {
    this.clip = clip;
    this.rows = element("div", { class: "rows" });
    this.problem = element("p", { class: "mark wrong", role: "alert" });
    this.form.replaceChildren(
      element("p", { class: "note" },
        "All that can be heard in it, and from when to when; no row at all means nothing in particular. ",
        "Drag over the picture to set a span."),
      this.rows, this.problem, this.#ends());
    const spans = clip.verdict?.value === "labels" ? clip.verdict.labels : clip.labels.slice(0, 1);
    spans.forEach((span) => this.#add(span));
    if (!spans.length) this.#add();
    this.form.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.rows.querySelector("input").select();
    this.rows.querySelector("input").focus();
  }

  close() {
    if (!this.isOpen) return;
    const inside = this.form.contains(document.activeElement);
    this.form.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    this.onShow(null);
    if (inside) this.opener.focus();
  }

  setSpan(onset, offset) {
    if (!this.isOpen || !this.active || offset - onset < 0.05) return false;
    const [, from, to] = this.active.querySelectorAll("input");
    [from.value, to.value] = [onset.toFixed(2), offset.toFixed(2)];
    this.#showSpan();
    return true;
  }

  #ends() {
    const add = element("button", { type: "button", onclick: () => this.#add().querySelector("input").focus() },
      "Add a label");
    return element("div", { class: "ends" }, add,
      element("button", { type: "submit", class: "main" }, "Keep this verdict"),
      element("button", { type: "button", class: "quiet", onclick: () => this.close() }, "Cancel"));
  }

  #add(span = null) {
    const number = this.rows.childElementCount + 1;
    const whole = this.clip.seconds.toFixed(2);
    const time = (value, name) => element("input", {
      type: "number", min: 0, max: whole, step: 0.01, required: true, value, "aria-label": `${name}, label ${number}`,
    });
    const row = element("fieldset", {},
      element("legend", { class: "unseen" }, `Label ${number}`),
      element("label", {}, "Label", element("input", {
        type: "text", list: "label-names", required: true, maxlength: 64, autocomplete: "off",
        value: span ? labelName(span.label) : "",
      })),
      element("label", {}, "from, s", time(span ? span.onset.toFixed(2) : "0.00", "From second")),
      element("label", {}, "to, s", time(span ? span.offset.toFixed(2) : whole, "To second")),
      element("button", { type: "button", class: "quiet", onclick: () => this.#remove(row) }, "Remove"));
    this.rows.append(row);
    this.active = row;
    return row;
  }

  #remove(row) {
    row.remove();
    this.form.querySelector(".ends button").focus();
  }

  #showSpan() {
    const fields = this.active?.isConnected ? [...this.active.querySelectorAll("input")] : [];
    this.onShow(fields.length ? [Number(fields[1].value), Number(fields[2].value)] : null);
  }

  #keep(onKeep) {
    const marks = [...this.rows.children].map((row) => {
      const [name, from, to] = [...row.querySelectorAll("input")].map((field) => field.value);
      return { label: slugOf(name), onset: Number(from), offset: Math.min(Number(to), this.clip.seconds) };
    });
    const unknown = marks.find((mark) => !this.newLabels && !isKnown(mark.label));
    const empty = marks.find((mark) => mark.onset >= mark.offset);
    if (unknown) this.problem.textContent = `The station does not know the label “${unknown.label}”.`;
    else if (empty) this.problem.textContent = `${labelName(empty.label)}: the end must be after the start.`;
    else onKeep(marks);
  }
}
