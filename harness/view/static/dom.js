// Elements are made one by one and texts are set as texts: nothing that a model, a file or a name says is ever
// read as markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "href" && !String(value).startsWith("#")) throw new Error("links stay on this page");
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function link(place, values, ...children) {
  return el("a", { href: address(place, values) }, ...children);
}

export function address(place, values = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, one);
    }
  }
  const text = query.toString();
  return `#/${place}${text ? `?${text}` : ""}`;
}

export function say(text) {
  const status = document.getElementById("status");
  if (status.textContent !== text) status.textContent = text;
}
