// How things are said.

let names = {};

export const setLabels = (labels) => { names = labels; };
export const labelName = (slug) => names[slug] ?? slug.replaceAll("_", " ");
export const labelNames = () => names;

export function slugOf(name) {
  const wanted = name.trim().toLowerCase();
  const known = Object.entries(names).find(([slug, text]) => slug === wanted || text.toLowerCase() === wanted);
  return known ? known[0] : wanted.replace(/[^a-z0-9_-]+/g, "_").slice(0, 64);
}

export const isKnown = (slug) => slug in names;
export const seconds = (value) => `${value.toFixed(1)} s`;

export function moment(unix) {
  const date = new Date(unix * 1000);
  const today = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return today ? time : `${date.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`;
}

const reasons = {
  event: "an event", near_miss: "nearly an event", ambient: "the place itself", missed: "somebody heard something",
};
const verdicts = { right: "right", wrong: "wrong", labels: "labelled" };

export const reasonText = (clip) => reasons[clip.reason];
export const verdictText = (verdict) => verdicts[verdict.value];

export function whatOf(clip) {
  if (clip.labels.length) return labelName(clip.labels[0].label);
  return clip.reason === "missed" ? "Missed sound" : "Ambient sound";
}

export function question(clip) {
  if (clip.labels.length) return `Is this: ${labelName(clip.labels[0].label)}?`;
  return clip.reason === "missed" ? "What was missed here?" : "Is this nothing in particular?";
}

export function heardIn(clip) {
  const verdict = clip.verdict;
  if (verdict.value !== "labels") return verdictText(verdict);
  return verdict.labels.map((span) => labelName(span.label)).join(", ") || "nothing of what is looked for";
}
