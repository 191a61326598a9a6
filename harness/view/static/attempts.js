// The attempts of a run: filtered, ordered and paged by the server, live while the run goes on.

import { Failure, ask, pause, seen } from "./api.js";
import { address, el, link, say } from "./dom.js";
import { OUTCOMES, seconds, short, whole } from "./numbers.js";
import { Rows } from "./rows.js";

const ORDERS = {
  plan: "as planned", newest: "newest first", "-difficulty": "hardest first", difficulty: "easiest first",
  "-seconds": "slowest first", seconds: "fastest first", "-depth": "deepest first", depth: "shallowest first",
};
const LIVE = 1000, STILL = 3000; // milliseconds between two looks
const FILTERS = ["outcome", "low", "high", "text", "order", "differ"];
export const listed = { run: null, pairs: [] }; // the page of attempts that was looked at last

export async function attempts(page) {
  const run = page.query.get("run") || "";
  const beside = page.query.getAll("with");
  const asked = Object.fromEntries(FILTERS.map((name) => [name, page.query.get(name) || ""]));
  const named = [["run", run], ...beside.map((name) => ["with", name])];
  let number = Number(page.query.get("page") || 0);
  let state = await ask("run", named, page.signal);
  page.title(`${state.task}, ${state.solver}`);
  page.crumbs.append(link("", {}, "Runs"), el("span", {}, state.task));

  const progress = el("progress", { max: 1, "aria-label": "Attempts recorded" });
  const told = el("p", { class: "facts" });
  const problems = el("ul", { class: "problems" });
  const chips = el("div", { class: "chips", role: "group", "aria-label": "Outcome" });
  const text = field("text", "search", asked.text);
  const low = field("low", "number", asked.low), high = field("high", "number", asked.high);
  const order = el("select", { id: "order" }, Object.entries(ORDERS).map(([value, label]) =>
    el("option", { value, selected: value === (asked.order || "plan") }, label)));
  const differ = el("input", { type: "checkbox", id: "differ" });
  differ.checked = asked.differ === "1";
  const body = el("tbody");
  const head = el("tr");
  const table = el("table", { class: "cards" }, el("caption", { class: "unseen" }, "Attempts"), el("thead", {}, head), body);
  const pager = el("nav", { class: "pager", "aria-label": "Pages" });
  const before = el("button", { type: "button", onclick: () => turn(-1) }, "‹ Before");
  const after = el("button", { type: "button", onclick: () => turn(1) }, "Next ›");
  const where = el("span");
  pager.append(before, where, after);
  page.main.append(
    el("h1", {}, state.task, " ", el("small", {}, state.task_options)),
    el("p", { class: "who" }, state.solver, beside.length ? ` beside ${whole(beside.length)} more` : ""),
    progress, told, problems, chips,
    el("div", { class: "filters" },
      el("label", { for: "text" }, "Text ", text),
      state.difficulty ? el("span", { class: "range" }, el("label", { for: "low" }, "Difficulty from ", low),
        el("label", { for: "high" }, " to ", high)) : null,
      el("label", { for: "order" }, "Order ", order),
      beside.length ? el("label", { for: "differ" }, differ, " only where they differ") : null),
    table, pager,
  );
  const rows = new Rows(body, (row) => row.pair, draw);
  let columns = [];
  const wanted = new Set(asked.outcome.split(",").filter(Boolean));
  let dirty = true, partial = false, shown = null, timer, wake = () => {};
  for (const one of [text, low, high]) one.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 250); });
  for (const one of [order, differ]) one.addEventListener("change", filter);
  page.keys({
    "/": () => text.focus(), j: () => rows.move(1), k: () => rows.move(-1), "[": () => turn(-1), "]": () => turn(1),
    Escape: () => { location.hash = "#/"; },
  });
  tell();
  for (;;) {
    await seen(page.signal);
    if (dirty || String(state.version) !== shown) {
      dirty = false;
      try {
        const found = await ask("attempts", query(), page.signal);
        if (dirty) continue; // something else was asked for meanwhile
        list(found);
        partial = found.read < 1 || found.searched < 1;
        shown = partial ? null : String(found.version);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        say(error.message);
        [partial, shown] = [false, String(state.version)];
      }
    }
    const rest = pause(partial ? 20 : state.state === "running" ? LIVE : STILL, page.signal);
    await Promise.race([rest, new Promise((resolve) => { wake = resolve; })]);
    if (dirty) continue;
    state = await ask("run", named, page.signal);
    tell();
  }

  function query() {
    const found = [...named, ["page", number], ["order", order.value]];
    if (wanted.size) found.push(["outcome", [...wanted].join(",")]);
    if (text.value) found.push(["text", text.value]);
    if (low.value) found.push(["low", low.value]);
    if (high.value) found.push(["high", high.value]);
    if (differ.checked) found.push(["differ", "1"]);
    return found;
  }

  function filter() {
    number = 0;
    refresh();
  }

  function refresh() {
    const values = { run, with: beside, outcome: [...wanted].join(","), text: text.value, low: low.value, high: high.value,
      order: order.value === "plan" ? "" : order.value, differ: differ.checked ? "1" : "", page: number || "" };
    history.replaceState(null, "", address("run", values));
    chip();
    dirty = true;
    wake();
  }

  function turn(by) {
    if (number + by < 0 || (by > 0 && after.disabled)) return;
    number += by;
    refresh();
  }

  function tell() {
    progress.value = state.planned ? state.recorded / state.planned : 1;
    const done = state.recorded === state.planned ? "" : ` · ${state.state}`;
    told.textContent = `${whole(state.recorded)} of ${whole(state.planned)} attempts${done}` +
      (state.read < 1 ? ` · ${Math.floor(100 * state.read)} % read` : "");
    problems.replaceChildren(...state.problems.map((problem) => el("li", {}, problem)));
    chip();
  }

  function chip() {
    for (const [name, count] of Object.entries(state.outcomes)) {
      let one = chips.querySelector(`[data-part="${name}"]`);
      if (!one) {
        one = el("button", { type: "button", class: `chip ${name}`, "data-part": name, onclick: () => {
          if (!wanted.delete(name)) wanted.add(name);
          filter();
        } });
        chips.append(one);
      }
      one.hidden = !count && !wanted.has(name);
      one.setAttribute("aria-pressed", String(wanted.has(name)));
      const label = `${OUTCOMES[name][0]} ${OUTCOMES[name][1]} ${whole(count)}`;
      if (one.textContent !== label) one.textContent = label;
    }
  }

  function list(found) {
    columns = found.columns;
    const names = ["Puzzle", "Outcome", ...columns.map((column) => column.solver), "Difficulty", "Depth", "Time"];
    head.replaceChildren(...names.map((name) => el("th", { scope: "col" }, name)));
    number = found.page;
    rows.show(found.rows);
    listed.run = run;
    listed.pairs = found.rows.map((row) => row.pair);
    where.textContent = `Page ${whole(found.page + 1)} of ${whole(found.pages)}`;
    before.disabled = !found.page;
    after.disabled = found.page + 1 >= found.pages;
    const part = Math.min(found.read, found.searched);
    say(part < 1 ? `${whole(found.total)} found, ${Math.floor(100 * part)} % looked through …` : `${whole(found.total)} attempts`);
  }

  function draw(row) {
    const name = link("puzzle", { run, pair: row.pair, with: beside }, row.puzzle);
    name.dataset.part = "open";
    return el("tr", {},
      el("th", { scope: "row" }, name, state.tries > 1 ? el("small", {}, `attempt ${row.attempt}`) : null),
      el("td", { "data-label": "Outcome" }, badge(row.outcome)),
      row.beside.map((outcome, n) => el("td", { "data-label": columns[n].solver }, outcome ? badge(outcome) : "not planned")),
      el("td", { "data-label": "Difficulty" }, short(row.difficulty)),
      el("td", { "data-label": "Depth" }, short(row.depth)),
      el("td", { "data-label": "Time" }, seconds(row.seconds)));
  }
}

export function badge(outcome) {
  const [sign, words] = OUTCOMES[outcome] || ["", outcome];
  return el("span", { class: `badge ${outcome}` }, `${sign} ${words}`);
}

function field(id, type, value) {
  return el("input", { id, type, value, step: "any", autocomplete: "off", spellcheck: "false" });
}
