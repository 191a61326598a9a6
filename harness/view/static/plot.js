// One quantity against supervision steps, as a small picture with its present step marked.

import { svg } from "./dom.js";
import { short } from "./numbers.js";

const [WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM] = [320, 120, 44, 10, 10, 22];

export function plot(title, points) {
  const known = points.filter(([, y]) => y !== null && y !== undefined);
  const xs = points.map(([x]) => x), ys = known.map(([, y]) => y);
  let [low, high] = [Math.min(0, ...ys), Math.max(0, ...ys)];
  if (low === high) high = low + 1;
  const across = (x) => LEFT + ((WIDE - LEFT - RIGHT) * place(x)) / Math.max(1, xs.length - 1);
  const place = (x) => xs.indexOf(x);
  const up = (y) => HIGH - BOTTOM - ((HIGH - TOP - BOTTOM) * (y - low)) / (high - low);
  const text = (x, y, anchor, words) => svg("text", { x, y, "text-anchor": anchor }, words);
  const mark = svg("circle", { r: 5, class: "now" });
  const label = `${title}: ${known.map(([x, y]) => `${short(y)} at depth ${x}`).join(", ")}`;
  const picture = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label, class: "plot" },
    svg("line", { x1: LEFT, x2: WIDE - RIGHT, y1: up(0), y2: up(0), class: "axis" }),
    svg("line", { x1: LEFT, x2: LEFT, y1: TOP, y2: HIGH - BOTTOM, class: "axis" }),
    text(LEFT - 4, up(high) + 4, "end", short(high)), text(LEFT - 4, up(low) + 4, "end", short(low)),
    ...xs.filter((x, n) => n % Math.ceil(xs.length / 8) === 0).map((x) => text(across(x), HIGH - 6, "middle", String(x))),
    svg("polyline", { points: known.map(([x, y]) => `${across(x)},${up(y)}`).join(" "), class: "line" }),
    ...known.map(([x, y]) => svg("circle", { cx: across(x), cy: up(y), r: 2.5, class: "dot" })), mark);
  return { picture, show: (step) => {
    const [x, y] = points[step];
    const unknown = y === null || y === undefined;
    mark.setAttribute("visibility", unknown ? "hidden" : "visible");
    if (!unknown) { mark.setAttribute("cx", across(x)); mark.setAttribute("cy", up(y)); }
  } };
}
