// Colours: of loudness, and of labels.

import { labelNames } from "./words.js";

const stops = [[12, 18, 34], [24, 44, 84], [22, 98, 122], [40, 158, 142], [150, 205, 120], [252, 236, 168]];

export const loudness = Array.from({ length: 256 }, (_, value) => {
  const at = (value / 255) * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  return stops[low].map((channel, n) => Math.round(channel + (stops[low + 1][n] - channel) * (at - low)));
});

const hues = [174, 22, 262, 96, 330, 210, 48, 0, 130, 290];

export function colourOf(label) {
  // neighbours in the bundle's list are far apart on the wheel (the golden angle)
  const hue = (Object.keys(labelNames()).indexOf(label) * 137.5 + 174) % 360;
  return `hsl(${hue} 55% 52%)`;
}

export const curveColour = (n) => `hsl(${hues[n % hues.length]} 60% 50%)`;

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

export function imageOf(bytes, bands, stretch = (value) => value) {
  // frames of `bands` bytes each -> an image with the lowest band at the bottom
  const columns = Math.max(1, Math.floor(bytes.length / bands));
  const image = new ImageData(columns, bands);
  bytes.forEach((value, at) => {
    const column = Math.floor(at / bands);
    const pixel = ((bands - 1 - (at % bands)) * columns + column) * 4;
    const [red, green, blue] = loudness[stretch(value)];
    image.data.set([red, green, blue, 255], pixel);
  });
  return image;
}

export function contrast(bytes) {
  // so that a soft clip is seen, too: from its 5th to its 99.8th percentile
  const sorted = Uint8Array.from(bytes).sort();
  const low = sorted[Math.floor(sorted.length * 0.05)] ?? 0;
  const high = Math.max(low + 60, sorted[Math.floor(sorted.length * 0.998)] ?? 255);
  return (value) => Math.max(0, Math.min(255, Math.round(((value - low) / (high - low)) * 255)));
}
