// The list of runs, brought up to date while runs go on.

import { ask, pause, seen } from "./api.js";
import { address, el, link, say } from "./dom.js";
import { OUTCOMES, quantity, seconds, share, usd, whole } from "./numbers.js";
import { Rows } from "./rows.js";

const MOST = 4; // side by side
const FRESH = 2000; // milliseconds between two looks
const chosen = new Map(); // run -> its task, as long as the page is open

export async function runs(page) {
  page.title("Runs");
  const search = el("input", { type: "search", id: "find", autocomplete: "off", spellcheck: "false" });
  const beside = el("button", { type: "button", class: "beside", onclick: open }, "Side by side");
  const body = el("tbody");
  const names = ["", "Task", "Solver", "Score", "Attempts", "State", "Time / puzzle", "Cost", "Run"];
  const heads = names.map((name) => el("th", { scope: "col" }, name || el("span", { class: "unseen" }, "Choose")));
  const table = el("table", { class: "cards" }, el("caption", { class: "unseen" }, "Runs"),
    el("thead", {}, el("tr", {}, heads)), body);
  const problems = el("ul", { class: "problems" });
  page.main.append(
    el("h1", {}, "Runs"),
    el("div", { class: "filters" }, el("label", { for: "find" }, "Find ", search), beside),
    table, problems,
  );
  const rows = new Rows(body, (run) => run.run, row);
  let found = { runs: [], waiting: 0 };
  search.addEventListener("input", draw);
  page.keys({
    "/": () => search.focus(), j: () => rows.move(1), k: () => rows.move(-1), c: open,
    x: () => document.activeElement.closest("tr")?.querySelector("input")?.click(),
  });
  for (;;) {
    await seen(page.signal);
    found = await ask("runs", [], page.signal);
    draw();
    const going = found.runs.some((run) => run.state === "running");
    await pause(found.waiting ? 50 : going ? FRESH / 2 : FRESH, page.signal);
  }

  function draw() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (run) => words.every((word) => JSON.stringify(Object.values(run)).toLowerCase().includes(word));
    const shown = found.runs.filter((run) => !run.problem && fits(run));
    rows.show(shown);
    problems.replaceChildren(...found.runs.filter((run) => run.problem)
      .map((run) => el("li", {}, `Left out ${run.run}: ${run.problem}`)));
    table.hidden = !found.runs.length;
    choose();
    if (!found.runs.length) say("No run here yet. `bench run --task sudoku --solver search` makes one.");
    else if (found.waiting) say(`Reading ${whole(found.waiting)} of ${whole(found.runs.length)} runs …`);
    else say(`${whole(shown.length)} of ${whole(found.runs.length)} runs`);
  }

  function choose() {
    const tasks = new Set(chosen.values());
    const fits = chosen.size >= 2 && chosen.size <= MOST && tasks.size === 1;
    beside.setAttribute("aria-disabled", String(!fits));
    beside.title = fits ? "" : `Choose two to ${MOST} runs of one task.`;
    beside.textContent = chosen.size ? `Side by side (${chosen.size})` : "Side by side";
  }

  function open() {
    if (beside.getAttribute("aria-disabled") === "true") {
      say(`Choose two to ${MOST} runs of one task, with their boxes.`);
      return;
    }
    const [first, ...others] = chosen.keys();
    location.hash = address("run", { run: first, with: others });
  }

  function row(run) {
    if (run.waiting) {
      return el("tr", {}, el("td"), el("th", { scope: "row", colspan: 8 },
        link("run", { run: run.run }, run.run), " is being read"));
    }
    const box = el("input", {
      type: "checkbox", "aria-label": `Choose ${run.run}`, "data-part": "box", onchange: (event) => {
        if (event.target.checked) chosen.set(run.run, run.task);
        else chosen.delete(run.run);
        choose();
      },
    });
    box.checked = chosen.has(run.run);
    const name = link("run", { run: run.run }, run.task);
    name.dataset.part = "open";
    const cell = (label, ...children) => el("td", { "data-label": label }, ...children);
    return el("tr", {},
      el("td", { class: "pick" }, box),
      el("th", { scope: "row" }, name, small(run.task_options), small(run.split)),
      cell("Solver", run.solver, small(run.model), small(run.solver_options),
        small(run.parameters ? `${quantity(run.parameters)} parameters` : "")),
      cell("Score", ...score(run)),
      cell("Attempts", bar(run)),
      cell("State", el("span", { class: `state ${run.state}` }, run.state)),
      cell("Time / puzzle", seconds(run.seconds_per_puzzle)),
      cell("Cost", usd(run.usd)),
      cell("Run", el("span", { class: "name" }, run.run)),
    );
  }
}

function small(text) { return text ? el("small", {}, text) : null; }

function score(run) {
  if (run.score === undefined) return [el("small", {}, "not summed up yet")];
  const range = run.low === null ? "" : `95 %: ${(100 * run.low).toFixed(1)}–${(100 * run.high).toFixed(1)}`;
  return [share(run.score), small(run.metric), small(range)];
}

function bar(run) {
  if (!run.outcomes) return el("small", {}, `${whole(run.planned)} planned`);
  const parts = Object.entries(run.outcomes).filter(([, n]) => n);
  const text = parts.map(([name, n]) => `${whole(n)} ${OUTCOMES[name][1]}`).join(", ");
  const drawn = el("span", { class: "bar", role: "img", "aria-label": text, title: text });
  for (const [name, n] of parts) {
    const part = el("span", { class: `part ${name}` });
    part.style.flexGrow = String(n);
    drawn.append(part);
  }
  return el("span", { class: "bars" }, drawn, el("small", {}, `${whole(run.recorded)} of ${whole(run.planned)}`));
}
