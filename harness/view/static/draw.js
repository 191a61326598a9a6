// A task's drawing: lines of [text, style words, colour, background].

import { el } from "./dom.js";

const WORD = /^[a-z][a-z-]*$/;
const COLOUR = /^#[0-9a-f]{6}$/;

export function drawing(lines, label) {
  const pre = el("pre", { class: "drawing", tabindex: 0, role: "region", "aria-label": label });
  redraw(pre, lines);
  return pre;
}

export function redraw(pre, lines) {
  const parts = [];
  lines.forEach((line, number) => {
    if (number) parts.push("\n");
    for (const [text, words, colour, ground] of line) {
      const names = words.split(" ").filter((word) => WORD.test(word));
      if (!names.length && !colour && !ground) { parts.push(text); continue; }
      const span = el("span", { class: names.map((name) => `s-${name}`).join(" ") }, text);
      if (COLOUR.test(ground)) {
        span.style.backgroundColor = ground;
        span.style.color = light(ground) ? "#000" : "#fff";
      } else if (COLOUR.test(colour)) span.style.color = colour;
      parts.push(span);
    }
  });
  pre.replaceChildren(...parts);
}

function light(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140;
}

// How many cells of a drawing fit so many pixels.
export function cells(pixels) {
  return Math.max(30, Math.min(160, Math.floor(pixels / 8)));
}
