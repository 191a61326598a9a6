// The answer of a net, step by step: what changed is marked, how sure it was and what it broke are plotted.

import { el } from "./dom.js";
import { drawing, redraw } from "./draw.js";
import { short, whole } from "./numbers.js";
import { plot } from "./plot.js";

const PACE = 700; // milliseconds a step

export function replay(steps, leftOut, signal) {
  let at = steps.length - 1, timer = null;
  const pre = drawing(steps[at].drawing, "The answer after this step");
  const slider = el("input", { type: "range", min: 0, max: steps.length - 1, step: 1, value: at, "aria-label": "Supervision step",
    oninput: () => { stop(); go(Number(slider.value)); } });
  const play = el("button", { type: "button", onclick: toggle }, "▶ Play");
  const told = el("p", { class: "facts", "aria-live": "polite" });
  const plots = [["Halting score", "halt_score"], ["Rules broken", "violations"]]
    .filter(([, name]) => steps.some((step) => step[name] !== null && step[name] !== undefined))
    .map(([title, name]) => ({ title, ...plot(title, steps.map((step) => [step.depth, step[name]])) }));
  const button = (sign, label, by) => el("button", { type: "button", "aria-label": label, onclick: () => move(by) }, sign);
  const element = el("section", { class: "replay", "aria-label": "Step by step" },
    el("h3", {}, "Answer, step by step"),
    el("div", { class: "controls" }, button("‹", "Step before", -1), play, button("›", "Next step", 1), slider),
    told, pre,
    leftOut ? el("p", { class: "facts" }, `The last ${whole(leftOut)} recorded steps are not shown.`) : null,
    el("div", { class: "plots" }, plots.map(({ title, picture }) => el("figure", {}, el("figcaption", {}, title, el("small", {}, " by depth")), picture))),
    table(steps));
  signal.addEventListener("abort", stop);
  go(at);
  return { element, move, toggle };

  function go(step) {
    at = Math.max(0, Math.min(steps.length - 1, step));
    const found = steps[at];
    slider.value = at;
    redraw(pre, found.drawing);
    told.textContent = words(found, at, steps.length);
    slider.setAttribute("aria-valuetext", told.textContent);
    for (const one of plots) one.show(at);
  }

  function move(by) { stop(); go(at + by); }

  function toggle() {
    if (timer) { stop(); return; }
    if (at === steps.length - 1) go(0);
    play.textContent = "■ Stop";
    timer = setInterval(() => { if (at + 1 >= steps.length) stop(); else go(at + 1); }, PACE);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶ Play";
  }
}

function words(step, at, all) {
  const parts = [`step ${at + 1} of ${all}`, `depth ${step.depth}`];
  if (step.changed !== null) parts.push(step.changed === 1 ? "1 cell changed" : `${whole(step.changed)} cells changed`);
  if (step.violations !== null) parts.push(step.violations === 1 ? "1 rule broken" : `${whole(step.violations)} rules broken`);
  if (step.halt_score !== null && step.halt_score !== undefined) parts.push(`halting score ${short(step.halt_score)}`);
  if (step.correct !== null && step.correct !== undefined) parts.push(step.correct ? "✓ correct" : "✗ wrong");
  return parts.join(" · ");
}

function table(steps) {
  const names = ["Depth", "Changed", "Rules broken", "Halting score", "Correct"];
  const rows = steps.map((step) => el("tr", {}, [String(step.depth), whole(step.changed), whole(step.violations),
    short(step.halt_score), step.correct ? "yes" : step.correct === 0 ? "no" : "–"].map((text) => el("td", {}, text))));
  return el("details", {}, el("summary", {}, "Steps as a table"),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Steps as a table" },
      el("table", {}, el("thead", {}, el("tr", {}, names.map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, rows))));
}
