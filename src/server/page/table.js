/**
 * A table of keyed rows that can be sorted. Updates change the cells that differ and nothing else, so that focus, the
 * place in the page and what is marked stay. While the focus is in its rows, none of them moves.
 */
/* global document */

/** Rows shown at first, and with each press of the button more. */
const STEP = 100;

/** The narrow layout takes the display of a table away, and with it what it is to screen readers, unless it says so. */
function element(name, role, props = {}) {
  const made = Object.assign(document.createElement(name), props);
  if (role) made.setAttribute("role", role);
  return made;
}

/** Without a change there is nothing to read out and nothing to draw. */
export function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Sorts before what is not known, whichever way. */
function compare(a, b, isDown) {
  if (a == null || b == null) return (a == null) - (b == null);
  const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  return isDown ? -order : order;
}

export class Table {
  #host;
  #columns;
  #onChange;
  #sort;
  #most = STEP;
  #lines = new Map();
  #body = element("tbody", "rowgroup");
  #more = element("button", undefined, { type: "button", className: "more", hidden: true });

  /**
   * @param columns `{ title, of(row) → sorted by, text(row), link?(row), meter?(row) → [value, high] }`; the first one
   * is the row's header.
   * @param sort `{ column, isDown }` at first.
   * @param onChange what is shown has changed by the reader's own doing; with a sentence about it.
   */
  constructor(host, columns, sort, onChange) {
    [this.#host, this.#columns, this.#sort, this.#onChange] = [host, columns, sort, onChange];
    const table = element("table", "table");
    table.setAttribute("aria-labelledby", host.getAttribute("aria-labelledby"));
    const head = element("thead", "rowgroup");
    const titles = element("tr", "row");
    head.append(titles);
    titles.append(...columns.map(({ title }, at) => this.#title(title, at)));
    table.append(head, this.#body);
    host.append(table);
    host.after(this.#more);
    this.#more.addEventListener("click", () => {
      this.#most += STEP;
      onChange(`up to ${this.#most} rows are shown`);
    });
    this.#showSort(titles);
  }

  #title(title, at) {
    const cell = element("th", "columnheader", { scope: "col" });
    const button = element("button", undefined, { type: "button", textContent: title });
    button.addEventListener("click", () => {
      const isDown = this.#sort.column === at ? !this.#sort.isDown : at !== 0;
      this.#sort = { column: at, isDown };
      this.#showSort(cell.parentElement);
      this.#onChange(`sorted by ${title}, ${isDown ? "descending" : "ascending"}`);
    });
    cell.append(button);
    return cell;
  }

  #showSort(titles) {
    for (const [at, cell] of [...titles.children].entries()) {
      if (at !== this.#sort.column) cell.removeAttribute("aria-sort");
      else cell.setAttribute("aria-sort", this.#sort.isDown ? "descending" : "ascending");
    }
  }

  /** Shows the first of these rows, as `[key, row]`. Returns how many. */
  show(rows) {
    const { column, isDown } = this.#sort;
    const { of } = this.#columns[column];
    const sorted = rows.toSorted(([a, x], [b, y]) => compare(of(x), of(y), isDown) || compare(a, b, false));
    const shown = this.#hasFocus() ? this.#inPlace(sorted) : sorted.slice(0, this.#most);
    const keys = new Set(shown.map(([key]) => key));
    for (const [key, { line }] of this.#lines) if (!keys.has(key)) this.#remove(key, line);
    for (const [at, [key, row]] of shown.entries()) {
      const line = this.#update(key, row);
      if (this.#body.children[at] !== line) this.#body.insertBefore(line, this.#body.children[at] ?? null);
    }
    const left = rows.length - shown.length;
    this.#more.hidden = left <= 0;
    setText(this.#more, `Show ${Math.min(STEP, left)} more`);
    return shown.length;
  }

  #hasFocus() {
    return this.#body.contains(document.activeElement);
  }

  /** The rows that are shown, in their order, then others. */
  #inPlace(sorted) {
    const byKey = new Map(sorted);
    const kept = [...this.#lines.keys()].filter((key) => byKey.has(key)).map((key) => [key, byKey.get(key)]);
    const others = sorted.filter(([key]) => !this.#lines.has(key));
    const order = new Map([...this.#body.children].map((line, at) => [line, at]));
    kept.sort(([a], [b]) => order.get(this.#lines.get(a).line) - order.get(this.#lines.get(b).line));
    return [...kept, ...others].slice(0, Math.max(this.#most, kept.length));
  }

  #remove(key, line) {
    const hadFocus = line.contains(document.activeElement);
    line.remove();
    this.#lines.delete(key);
    if (hadFocus) this.#host.focus({ preventScroll: true });
  }

  #update(key, row) {
    const known = this.#lines.get(key) ?? this.#make();
    this.#lines.set(key, known);
    if (known.row === row && !this.#columns.some(({ moves }) => moves)) return known.line;
    known.row = row;
    for (const [at, { text, link, meter }] of this.#columns.entries()) {
      const { words, bar } = known.cells[at];
      setText(words, text(row));
      if (link && words.getAttribute("href") !== link(row)) words.setAttribute("href", link(row));
      if (bar) showBar(bar, meter(row), words.textContent);
    }
    return known.line;
  }

  #make() {
    const line = element("tr", "row");
    const cells = this.#columns.map(({ title, link, meter }, at) => {
      const cell = at === 0 ? element("th", "rowheader", { scope: "row" }) : element("td", "cell");
      cell.dataset.title = title;
      const words = document.createElement(link ? "a" : "span");
      const bar = meter && document.createElement("meter");
      if (bar) bar.setAttribute("aria-hidden", "true"); // the words beside it say the same
      cell.append(...(bar ? [bar] : []), words);
      return { words, bar };
    });
    line.append(...cells.map(({ words }) => words.parentElement));
    return { line, cells };
  }
}

function showBar(bar, values, title) {
  bar.hidden = values === undefined;
  if (values === undefined) return;
  const [value, high] = values;
  const max = Math.max(high, value, 1);
  if (bar.max !== max) bar.max = max;
  if (bar.value !== value) bar.value = value;
  if (bar.title !== title) bar.title = title;
}
