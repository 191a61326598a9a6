// The page: which view the address names, the keys, light and dark.

import { attempts } from "./attempts.js";
import { Failure } from "./api.js";
import { el, say } from "./dom.js";
import { puzzle } from "./puzzle.js";
import { runs } from "./runs.js";

const VIEWS = { "": runs, run: attempts, puzzle };
const main = document.getElementById("main");
let leave = null; // ends the view that is shown
let keys = {}; // what its keys do

function show() {
  if (!location.hash.startsWith("#/") && location.hash) return; // a place within the page
  const [place, query] = location.hash.slice(2).split(/\?(.*)/s);
  leave?.abort();
  const leaving = (leave = new AbortController());
  const view = VIEWS[place] || runs;
  keys = {};
  const crumbs = document.getElementById("crumbs");
  main.replaceChildren();
  crumbs.replaceChildren();
  say("");
  view({
    main, crumbs, query: new URLSearchParams(query || ""), signal: leaving.signal,
    keys: (found) => { if (!leaving.signal.aborted) Object.assign(keys, found); },
    title: (text) => { document.title = text ? `${text} · Depthbench` : "Depthbench"; },
  }).catch((error) => {
    if (error.name === "AbortError" || leaving.signal.aborted) return;
    if (!(error instanceof Failure)) console.error(error);
    say("");
    main.append(el("p", { class: "problem", role: "alert" }, error.message));
  });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const at = document.activeElement;
  const typing = at.matches("input:not([type=checkbox]):not([type=range]), select, textarea");
  if (event.key === "Escape" && typing) { event.preventDefault(); main.focus(); return; } // the text stays
  if (typing) return;
  if (event.key === " " && at.matches("button, a, summary, input")) return;
  if (event.key.startsWith("Arrow") && at.matches("input[type=range], .drawing, .scroll")) return;
  const act = { "?": help, t: turn, ...keys }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

function help() { document.getElementById("help").showModal(); }

function dark() {
  const told = document.documentElement.dataset.theme;
  return told ? told === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function turn() {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  label();
}

function label() { document.getElementById("theme").textContent = dark() ? "Light" : "Dark"; }

document.getElementById("theme").addEventListener("click", turn);
document.getElementById("keys").addEventListener("click", help);
document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
addEventListener("hashchange", () => { show(); main.focus({ preventScroll: true }); scrollTo(0, 0); });
label();
show();
