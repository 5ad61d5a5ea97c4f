// Clips one after the other, and what people say of them.

import { command, read } from "./api.js";
import { ClipList } from "./cliplist.js";
import { byId, element, remembered, say } from "./dom.js";
import { Editor } from "./editor.js";
import { Picture } from "./picture.js";
import { Player } from "./player.js";
import { heardIn, moment, question, reasonText, seconds, verdictText, whatOf } from "./words.js";

export class Review {
  constructor(station) {
    this.picture = new Picture(byId("picture"), byId("legend"), (from, to) => this.#dragged(from, to));
    this.player = new Player((at) => { if (this.clip) this.picture.moveHead(this.picture.data ? at : null); });
    this.editor = new Editor((labels) => this.judge("labels", labels), (span) => this.#showSpan(span));
    this.editor.newLabels = station.new_labels;
    this.editor.setLabels();
    this.list = new ClipList((clip) => this.show(clip), () => this.#showNothing());
    this.judged = []; // ids, in the order of their verdicts
    this.sending = new Set(); // ids of clips whose verdict is on its way
    byId("right").onclick = () => this.judge("right");
    byId("wrong").onclick = () => this.judge("wrong");
    byId("other").onclick = () => this.toggleEditor();
    byId("undo").onclick = () => this.undo();
  }

  open(id) {
    return id ? this.list.jump(id) : this.list.load();
  }

  async show(clip) {
    this.clip = clip;
    byId("nothing").hidden = true;
    byId("clip").hidden = false;
    byId("clip").dataset.id = clip.id;
    this.editor.close();
    this.#showFacts(clip);
    this.picture.moveHead(null);
    this.player.load(clip);
    try {
      const [data, similar] = await Promise.all([read(`clips/${clip.id}/picture`), read(`clips/${clip.id}/similar?limit=8`)]);
      if (this.clip?.id !== clip.id) return;
      this.picture.show(data, clip);
      this.#showSimilar(similar);
    } catch (error) {
      say(`No picture: ${error.message}`, true);
    }
  }

  #showFacts(clip) {
    byId("clip-title").textContent = `${whatOf(clip)} · ${clip.source}`;
    const score = clip.score === null ? "" : ` · score ${clip.score.toFixed(2)}, threshold ${clip.on_threshold.toFixed(2)}`;
    byId("clip-facts").textContent = `${moment(clip.captured_at)} · ${seconds(clip.seconds)} · ${reasonText(clip)}${score}`;
    byId("question").textContent = question(clip);
    byId("wrong").disabled = !clip.labels.length; // it stands for nothing: say what it holds
    for (const [button, value] of [["right", "right"], ["wrong", "wrong"], ["other", "labels"]]) {
      byId(button).setAttribute("aria-pressed", String(clip.verdict?.value === value));
    }
    byId("history").textContent = clip.verdicts.map((verdict) =>
      `${verdict.who}: ${verdictText(verdict)} (${moment(verdict.at)})`).join(" · ");
  }

  #showSimilar(clips) {
    byId("similar").replaceChildren(...clips.map((clip) => {
      const share = element("i");
      share.style.width = `${Math.max(0, clip.similarity * 100)}%`;
      return element("li", {}, element("button", { type: "button", onclick: () => this.list.jump(clip.id) },
        element("span", { class: "what" }, whatOf(clip)),
        element("span", { class: "note" }, `${clip.source}, ${moment(clip.captured_at)}`),
        clip.verdict ? element("span", { class: `mark ${clip.verdict.value}` }, heardIn(clip)) : null,
        element("span", { class: "bar", role: "img", "aria-label": `${Math.round(clip.similarity * 100)} % alike` }, share)));
    }));
    if (!clips.length) byId("similar").append(element("li", { class: "note" }, "Nothing else yet."));
  }

  #showNothing() {
    this.clip = null;
    byId("clip").hidden = true;
    byId("nothing").hidden = false;
    byId("nothing").textContent = byId("choice").value === "queue"
      ? "Every clip has a verdict. Thank you." : "There are no clips yet.";
  }

  async judge(verdict, labels = []) {
    const clip = this.clip;
    if (!clip || this.sending.has(clip.id) || (verdict === "wrong" && !clip.labels.length)) return;
    this.sending.add(clip.id); // a second key must not judge the same clip again, but the next one
    try {
      await this.#send(clip, verdict, labels);
    } catch (error) {
      say(`Not kept: ${error.message}`, true);
    } finally {
      this.sending.delete(clip.id);
    }
  }

  async #send(clip, verdict, labels) {
    const { turn } = this.list;
    await command("flag", () => {
      const who = remembered("who", "");
      return { clip: clip.id, verdict, labels, ...(who ? { who } : {}) };
    });
    this.judged = [...this.judged.filter((id) => id !== clip.id), clip.id];
    byId("undo").disabled = false;
    const fresh = await read(`clips/${clip.id}`);
    say(`${whatOf(clip)}: ${heardIn(fresh)}`);
    this.list.judged(fresh);
    if (this.list.turn !== turn) return; // another is shown or asked for, and the editor may be open for it
    this.editor.close();
    this.list.move(1);
  }

  undo() {
    const id = this.judged.pop();
    byId("undo").disabled = !this.judged.length;
    if (id) this.list.jump(id);
  }

  toggleEditor() {
    if (this.editor.isOpen) this.editor.close();
    else if (this.clip) this.editor.open(this.clip);
  }

  #showSpan(span) {
    if (this.picture.data) this.picture.markSpan(...(span ?? [0, 0]));
  }

  #dragged(from, to) {
    if (!this.editor.setSpan(from, to)) this.player.seek(from);
  }
}
