// Ask the server. What takes long is being made there meanwhile: it answers 202 and is asked again.

import { say } from "./dom.js";

const AGAIN = 150; // milliseconds

export class Failure extends Error {}

export async function ask(name, query, signal) {
  for (;;) {
    const address = new URL(`api/${name}`, new URL(".", location.href.split("#")[0]));
    for (const [key, value] of query) address.searchParams.append(key, value);
    let response;
    try {
      response = await fetch(address, { signal, credentials: "omit", headers: { accept: "application/json" } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure("The viewer does not answer. Start `bench view` again, and open the address it prints.");
    }
    if (!(response.headers.get("content-type") || "").startsWith("application/json")) {
      throw new Failure(await response.text());
    }
    const found = await response.json();
    if (response.status === 202) {
      say(`${found.waiting[0].toUpperCase()}${found.waiting.slice(1)} …`);
      await pause(AGAIN, signal);
      continue;
    }
    if (!response.ok) throw new Failure(found.error);
    return found;
  }
}

export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("left the page", "AbortError"));
    }, { once: true });
  });
}

// While the page is hidden nothing is asked.
export async function seen(signal) {
  while (document.hidden) await pause(500, signal);
}
