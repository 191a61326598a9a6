// Rows that stay what they are while their content is brought up to date, so that focus is not lost.

export class Rows {
  constructor(body, key, draw) {
    Object.assign(this, { body, key, draw, held: new Map() });
  }

  show(found) {
    const kept = new Map(), focused = document.activeElement;
    found.forEach((entry, place) => {
      const key = this.key(entry);
      const text = JSON.stringify(entry);
      let row = this.held.get(key);
      if (!row || row.text !== text) {
        const fresh = { text, element: this.draw(entry) };
        if (row) this.replace(row.element, fresh.element);
        row = fresh;
      }
      if (this.body.children[place] !== row.element) this.body.insertBefore(row.element, this.body.children[place] || null);
      kept.set(key, row);
    });
    for (const [key, row] of this.held) if (!kept.has(key)) row.element.remove();
    this.held = kept;
    if (document.activeElement !== focused && this.body.contains(focused)) focused.focus(); // a row was moved
  }

  replace(old, fresh) {
    const at = old.contains(document.activeElement) ? document.activeElement.dataset.part : null;
    old.replaceWith(fresh);
    if (at) fresh.querySelector(`[data-part="${at}"]`)?.focus();
  }

  // Move the focus to the next row's first link, or the one before.
  move(by) {
    const links = [...this.body.querySelectorAll("a[data-part]")];
    const at = links.findIndex((one) => one.closest("tr").contains(document.activeElement));
    const to = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))];
    to?.focus();
    to?.scrollIntoView({ block: "nearest" });
  }
}
