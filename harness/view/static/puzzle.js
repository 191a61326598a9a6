// One puzzle: as it is posed, and beside each other what one to four runs made of it.

import { Failure, ask, pause, seen } from "./api.js";
import { badge, listed } from "./attempts.js";
import { address, el, link, say } from "./dom.js";
import { cells, drawing } from "./draw.js";
import { quantity, seconds, short, usd, whole } from "./numbers.js";
import { replay } from "./replay.js";

const MOST = 4;
const LIVE = 3000; // milliseconds between two looks

export async function puzzle(page) {
  const run = page.query.get("run") || "", pair = page.query.get("pair") || "0";
  const beside = page.query.getAll("with").filter((name) => name !== run);
  const back = address("run", { run, with: beside });
  page.keys({ Escape: () => { location.hash = back; } });
  page.crumbs.append(link("", {}, "Runs"), el("a", { href: back }, run));
  const waiting = []; // runs whose attempt is planned and not there yet
  const count = 1 + beside.length;
  const wide = Math.min(count, Math.max(1, Math.floor(page.main.clientWidth / 380)));
  const width = cells(page.main.clientWidth / wide - 40);
  say("Loading the puzzle …");
  const first = await ask("puzzle", [["run", run], ["pair", pair], ["width", width]], page.signal);
  page.title(`${first.puzzle}, ${first.task}`);
  const panes = el("div", { class: `panes of-${count}` });
  const players = [];
  if (first.outcome === "not_run") waiting.push(run);
  const steps = neighbours(first, run, beside);
  page.main.append(
    el("h1", {}, first.puzzle),
    el("p", { class: "facts" }, [first.task, `version ${first.task_version}`, `split ${first.split}`,
      first.difficulty === null ? null : `difficulty ${short(first.difficulty)}`].filter(Boolean).join(" · ")),
    el("nav", { class: "pager", "aria-label": "Puzzles" }, steps.links),
    posed(first), panes);
  panes.append(pane(first, first, players, page.signal));
  for (const name of beside) {
    try {
      const found = await ask("puzzle", asked(name), page.signal);
      if (found.outcome === "not_run") waiting.push(name);
      panes.append(pane(found, first, players, page.signal));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      panes.append(el("article", { class: "pane" }, el("h2", {}, name), el("p", { class: "problem" }, error.message)));
    }
  }
  say("");
  if (count < MOST) page.main.append(others(first, run, pair, beside, page.signal));
  page.keys({
    n: () => steps.go(1), p: () => steps.go(-1), " ": () => players.forEach((one) => one.toggle()),
    ArrowLeft: () => players.forEach((one) => one.move(-1)), ArrowRight: () => players.forEach((one) => one.move(1)),
  });
  while (waiting.length) {
    await pause(LIVE, page.signal);
    await seen(page.signal);
    for (const name of waiting) {
      const now = await ask("puzzle", asked(name), page.signal);
      if (now.outcome !== "not_run") { dispatchEvent(new HashChangeEvent("hashchange")); return; }
    }
  }

  function asked(name) { return [["run", name], ["id", first.id], ["attempt", first.attempt], ["width", width]]; }
}

function neighbours(first, run, beside) {
  const at = listed.run === run ? listed.pairs.indexOf(first.pair) : -1;
  const found = at < 0 ? [first.before, first.after] : [listed.pairs[at - 1], listed.pairs[at + 1]];
  const to = (pair) => (pair === null || pair === undefined ? null : address("puzzle", { run, pair, with: beside }));
  const [before, after] = found.map(to);
  const one = (href, words) => (href ? el("a", { href, class: "button" }, words) : el("span", { class: "button off" }, words));
  const tries = first.tries.length < 2 ? [] : first.tries.map(({ pair, outcome }, n) =>
    el("a", { href: to(pair), class: "button", "aria-current": pair === first.pair ? "true" : null }, `attempt ${n} `, badge(outcome)));
  return {
    links: [one(before, "‹ Puzzle before"), one(after, "Next puzzle ›"), ...tries],
    go: (by) => { const href = by > 0 ? after : before; if (href) location.hash = href; },
  };
}

function posed(found) {
  if (!found.drawing) return el("p", { class: "problem" }, found.problem);
  const parts = [el("figure", {}, el("figcaption", {}, "Puzzle"), drawing(found.drawing, "The puzzle"))];
  if (found.expected) {
    const words = found.right_answers > 1 ? `Expected answer, one of ${whole(found.right_answers)}` : "Expected answer";
    parts.push(el("figure", {}, el("figcaption", {}, words), drawing(found.expected, "The expected answer")));
  }
  const doubt = found.proved ? null : el("p", { class: "facts" },
    "Made alone from its name: that the run had this very puzzle is not checked, the run is too large.");
  return el("div", { class: "posed" }, parts, doubt);
}

function pane(found, first, players, signal) {
  const parts = [el("h2", {}, found.solver), el("p", {}, badge(found.outcome)), facts(found)];
  if (found.content && first.content && found.content !== first.content) {
    parts.push(el("p", { class: "problem" }, "This run had another puzzle under this name:"), drawing(found.drawing, "The puzzle of this run"));
  } else if (found.problem && found !== first) parts.push(el("p", { class: "problem" }, found.problem));
  if (found.steps && found.steps.length) {
    const player = replay(found.steps, found.steps_left_out, signal);
    players.push(player);
    parts.push(player.element);
  }
  if (found.answer) {
    parts.push(el("h3", {}, "Answer"), drawing(found.answer, "The answer"));
    if (found.violations && found.violations.length) {
      parts.push(el("p", { class: "facts" }, `${whole(found.violations.length)} rules broken:`),
        el("ul", { class: "notes" }, found.violations.map((line) => el("li", {}, line))));
    } else if (found.violations) parts.push(el("p", { class: "facts" }, "No rule is broken."));
  } else if (found.answer_text) parts.push(el("h3", {}, "Answer"), text(found.answer_text, "The answer"));
  if (found.reply) parts.push(...reply(found));
  for (const [name, value] of found.detail || []) parts.push(detail(name, value));
  return el("article", { class: "pane" }, parts);
}

function facts(found) {
  const usage = found.usage || {};
  const rows = [["Depth", found.depth === undefined ? null : found.depth], ["Votes over", found.samples], ["Time", found.seconds === null ? null : seconds(found.seconds)],
    ["Tokens in", usage.input_tokens], ["Tokens out", usage.output_tokens], ["of these, reasoning", usage.reasoning_tokens],
    ["FLOPs", usage.flops === undefined ? null : quantity(usage.flops)], ["Dollars", usage.usd === undefined ? null : usd(usage.usd)],
    ...Object.entries(found.numbers || {}).map(([name, value]) => [name, short(value)])];
  return el("dl", { class: "numbers" }, rows.filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, typeof value === "number" ? whole(value) : value))));
}

function reply(found) {
  const pre = text("", "The reply");
  if (found.reply_marked) pre.replaceChildren(found.reply[0], el("mark", { title: "read as the answer" }, found.reply[1]), found.reply[2]);
  else pre.textContent = found.reply[0];
  const note = found.reply_marked ? "Marked: what was read as the answer."
    : found.answer ? "The answer was not read from this reply alone." : "No answer was read from it.";
  return [el("h3", {}, "Reply"), el("p", { class: "facts" }, note), pre];
}

function detail(name, value) {
  if (value.length <= 100 && !value.includes("\n")) return el("p", { class: "facts" }, `${name}: ${value}`);
  return el("details", {}, el("summary", {}, name), text(value, name));
}

function text(content, label) {
  return el("pre", { class: "text", tabindex: 0, role: "region", "aria-label": label, dir: "auto" }, content);
}

function others(first, run, pair, beside, signal) {
  const list = el("ul", { class: "notes" });
  const element = el("details", {}, el("summary", {}, "Set another run beside"), list);
  element.addEventListener("toggle", async () => {
    if (!element.open || list.children.length) return;
    try {
      const { runs } = await ask("runs", [], signal);
      const fits = runs.filter((one) => one.key && one.key[0] === first.task && one.run !== run && !beside.includes(one.run));
      list.append(...fits.map((one) => el("li", {}, link("puzzle", { run, pair, with: [...beside, one.run] },
        [one.solver, one.model, one.solver_options, one.run].filter(Boolean).join(" · ")))));
      if (!fits.length) list.append(el("li", {}, "No other run of this task."));
    } catch (error) {
      if (error.name !== "AbortError") say(error.message);
    }
  });
  return element;
}
