// The picture of a clip: log-mel above, scores below, on one axis of time.

import { element } from "./dom.js";
import { bytesOf, contrast, curveColour, imageOf } from "./palette.js";
import { labelName } from "./words.js";

const AXIS = 22; // pixels
const GAP = 8;
const SHARE = 0.58; // of the height that is log-mel

export class Picture {
  constructor(box, legend, onSpan) {
    this.legend = legend;
    this.canvas = element("canvas", { role: "img" });
    this.head = element("div", { class: "head", hidden: true });
    this.span = element("div", { class: "span", hidden: true });
    box.replaceChildren(this.canvas, this.span, this.head);
    new ResizeObserver(() => this.draw()).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.#listen(box, onSpan);
  }

  show(data, clip) {
    this.data = data;
    this.clip = clip;
    const bytes = bytesOf(data.log_mel);
    this.image = imageOf(bytes, data.bands, contrast(bytes));
    this.canvas.setAttribute("aria-label", this.#description());
    this.legend.replaceChildren(...Object.keys(data.scores).map((label, n) => this.#entry(label, n)));
    this.draw();
  }

  moveHead(at) {
    this.head.hidden = at === null;
    if (at !== null) this.head.style.left = this.#left(at);
  }

  markSpan(onset, offset) {
    this.span.hidden = !(offset > onset);
    this.span.style.left = this.#left(onset ?? 0);
    this.span.style.right = `calc(100% - ${this.#left(offset ?? 0)})`;
  }

  #left(at) {
    return `${((100 * at) / this.data.seconds).toFixed(3)}%`;
  }

  #entry(label, n) {
    const swatch = element("i");
    swatch.style.background = curveColour(n);
    return element("span", {}, swatch, labelName(label));
  }

  #description() {
    const peaks = Object.entries(this.data.scores).slice(0, 3).map(([label, scores]) => {
      const peak = Math.max(...scores);
      const at = this.data.boundaries[scores.indexOf(peak)];
      return `${labelName(label)} up to ${peak.toFixed(2)} at ${at.toFixed(1)} seconds`;
    });
    return `Spectrogram and scores over ${this.data.seconds.toFixed(1)} seconds. ${peaks.join("; ")}.`;
  }

  draw() {
    if (!this.data) return;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
    this.ink = style.getPropertyValue("--soft");
    this.line = style.getPropertyValue("--line");
    const top = (height - AXIS) * SHARE;
    this.#drawLogMel(pen, width, top);
    this.#drawScores(pen, width, top + GAP, height - AXIS);
    this.#drawAxis(pen, width, height);
  }

  #drawLogMel(pen, width, height) {
    const source = new OffscreenCanvas(this.image.width, this.image.height);
    source.getContext("2d").putImageData(this.image, 0, 0);
    pen.save();
    pen.beginPath();
    pen.roundRect(0, 0, width, height, 10);
    pen.clip();
    pen.drawImage(source, 0, 0, width, height);
    pen.restore();
  }

  #drawScores(pen, width, top, bottom) {
    const y = (score) => bottom - 1 - score * (bottom - top - 2);
    const x = (at) => (at / this.data.seconds) * width;
    pen.strokeStyle = this.line;
    pen.strokeRect(0.5, top + 0.5, width - 1, bottom - top - 1);
    if (this.clip.on_threshold) this.#drawThreshold(pen, width, y(this.clip.on_threshold));
    Object.values(this.data.scores).forEach((scores, n) => {
      pen.strokeStyle = curveColour(n);
      pen.lineWidth = n === 0 ? 2.5 : 1.5;
      pen.beginPath();
      scores.forEach((score, slot) => {
        pen.lineTo(x(this.data.boundaries[slot]), y(score));
        pen.lineTo(x(this.data.boundaries[slot + 1]), y(score));
      });
      pen.stroke();
    });
  }

  #drawThreshold(pen, width, y) {
    pen.save();
    pen.setLineDash([4, 4]);
    pen.strokeStyle = this.ink;
    pen.beginPath();
    pen.moveTo(0, y);
    pen.lineTo(width, y);
    pen.stroke();
    pen.restore();
  }

  #drawAxis(pen, width, height) {
    pen.fillStyle = this.ink;
    pen.font = "12px system-ui, sans-serif";
    const step = [0.5, 1, 2, 5, 10, 20, 60, 120].find((s) => (s / this.data.seconds) * width > 56) ?? 240;
    for (let at = 0; at <= this.data.seconds; at += step) {
      const x = (at / this.data.seconds) * width;
      const text = `${at} s`;
      if (x + pen.measureText(text).width <= width) pen.fillText(text, x, height - 6);
    }
  }

  #listen(box, onSpan) {
    const at = (event) => {
      const { left, width } = box.getBoundingClientRect();
      return Math.max(0, Math.min(1, (event.clientX - left) / width)) * this.data.seconds;
    };
    let from = null;
    box.addEventListener("pointerdown", (event) => { if (this.data) from = at(event); });
    box.addEventListener("pointerup", (event) => {
      if (from !== null) onSpan(Math.min(from, at(event)), Math.max(from, at(event)));
      from = null;
    });
    box.addEventListener("pointercancel", () => { from = null; });
  }
}
