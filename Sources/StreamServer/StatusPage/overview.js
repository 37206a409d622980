// SPDX-License-Identifier: Apache-2.0
// The table of feeds.

const SVG = "http://www.w3.org/2000/svg";

function svgElement(name, className, attributes) {
  const made = document.createElementNS(SVG, name);
  made.setAttribute("class", className);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Rows per second, drawn: a gap where nobody knows.
class RateLine {
  static width = 300;
  static height = 22;

  constructor() {
    this.svg = svgElement("svg", "", {
      viewBox: `0 0 ${RateLine.width} ${RateLine.height}`,
      preserveAspectRatio: "none",
      role: "img",
    });
    const y = RateLine.height - 0.5;
    this.svg.append(svgElement("line", "base", {x1: 0, x2: RateLine.width, y1: y, y2: y}));
    this.area = svgElement("path", "area", {});
    this.stroke = svgElement("path", "stroke", {});
    this.svg.append(this.area, this.stroke);
    this.now = element("span", "now");
    this.element = element("div", "rate");
    this.element.append(this.now, this.svg);
  }

  update({seconds, counts}) {
    const known = counts.filter((count) => count !== null);
    const most = Math.max(0, ...known) / seconds;
    const latest = counts.slice(-2);
    const now = latest.includes(null) ? null : latest.reduce((a, b) => a + b) / latest.length / seconds;
    setText(this.now, now === null ? "–" : rate(now));
    const text = now === null
      ? "nobody knows the rows per second now"
      : `${rate(now)} rows per second now, at most ${rate(most)} in the last five minutes`;
    if (this.svg.getAttribute("aria-label") !== text) this.svg.setAttribute("aria-label", text);

    const x = (index) => ((index * RateLine.width) / (counts.length - 1)).toFixed(1);
    const scale = most > 0 ? (RateLine.height - 3) / most / seconds : 0;
    const y = (count) => (RateLine.height - 1 - count * scale).toFixed(1);
    let stroke = "";
    let area = "";
    for (let index = 0; index < counts.length; index += 1) {
      if (counts[index] === null) continue;
      const first = index;
      const points = [];
      for (; index < counts.length && counts[index] !== null; index += 1) {
        points.push(`${x(index)} ${y(counts[index])}`);
      }
      // A count that stands alone would be a line without length.
      if (points.length === 1) points.push(`${Number(x(first)) + 2} ${y(counts[first])}`);
      stroke += `M${points.join("L")}`;
      area += `M${x(first)} ${RateLine.height}L${points.join("L")}L${points.at(-1).split(" ")[0]} ${RateLine.height}Z`;
    }
    this.stroke.setAttribute("d", stroke);
    this.area.setAttribute("d", area);
  }
}

const stateClasses = {live: "is-good", waiting: "is-wait", broken: "is-bad", retired: ""};
const feedHash = (name) => `#feed=${encodeURIComponent(name)}`;
const resetTotal = (feed) => Object.values(feed.resets).reduce((a, b) => a + b, 0);

// A feed's part of the table, which stays the same element so that the focus stays in it.
class OverviewRow {
  static columns = ["Live", "Replaying", "Behind", "Generation", "Resets", "Polled"];

  constructor(name) {
    this.cells = {};
    this.link = element("a", "name", name);
    this.link.href = feedHash(name);
    this.table = element("small");
    const head = element("th");
    head.setAttribute("role", "rowheader");
    head.scope = "row";
    head.append(this.link, this.table);
    this.state = element("span", "state");
    this.line = new RateLine();
    this.row = OverviewRow.tableRow(head);
    this.add("State", "").append(this.state);
    this.add("Mode", "");
    this.add("Head", "number id");
    this.add("Rows per second", "wide").append(this.line.element);
    for (const label of OverviewRow.columns) this.add(label, "number");
    this.reason = element("td", "reason");
    this.reason.setAttribute("role", "cell");
    this.reason.colSpan = OverviewRow.columns.length + 5;
    this.reasonRow = OverviewRow.tableRow(this.reason);
    this.element = element("tbody");
    this.element.setAttribute("role", "rowgroup");
    this.element.append(this.row, this.reasonRow);
  }

  // Its role is lost where the columns stand below each other, unless it is written down.
  static tableRow(cell) {
    const row = element("tr");
    row.setAttribute("role", "row");
    row.append(cell);
    return row;
  }

  // The label is seen where the columns stand below each other.
  add(label, className) {
    const cell = element("td", className);
    cell.setAttribute("role", "cell");
    const caption = element("span", "label", label);
    caption.setAttribute("aria-hidden", "true");
    const value = element("span", "value");
    cell.append(caption, value);
    this.cells[label] = value;
    this.row.append(cell);
    return value;
  }

  set(label, text, isZero = false) {
    setText(this.cells[label], text);
    this.cells[label].classList.toggle("zero", isZero);
  }

  update(feed, isOpen) {
    setText(this.table, feed.table === feed.name ? "" : `table ${feed.table}`);
    setText(this.state, feed.state);
    this.state.className = `state ${stateClasses[feed.state] ?? ""}`;
    setText(this.reason, feed.state === "retired" ? "" : feed.reason ?? "");
    this.reasonRow.hidden = this.reason.textContent === "";
    this.set("Mode", feed.mode);
    this.set("Head", feed.head, feed.head === "earliest");
    this.line.update(feed.rows);
    this.set("Live", whole(feed.live), feed.live === 0);
    this.set("Replaying", whole(feed.replaying), feed.replaying === 0);
    this.set("Behind", feed.lag === null ? "–" : whole(feed.lag), !feed.lag);
    this.set("Generation", whole(feed.generation), feed.generation === 0);
    this.set("Resets", whole(resetTotal(feed)), resetTotal(feed) === 0);
    const age = feed.last_success_seconds_ago;
    this.set("Polled", age === null ? "never" : age < 10 ? "now" : `${duration(age, 1)} ago`);
    this.element.classList.toggle("is-open", isOpen);
    if (isOpen) this.link.setAttribute("aria-current", "true");
    else this.link.removeAttribute("aria-current");
  }
}

class Overview {
  constructor() {
    this.rows = new Map();
  }

  update(feeds, openName) {
    byId("overview").hidden = false;
    const table = byId("feeds");
    for (const [name, row] of this.rows) {
      if (feeds.some((feed) => feed.name === name)) continue;
      row.element.remove();
      this.rows.delete(name);
    }
    feeds.forEach((feed, index) => {
      if (!this.rows.has(feed.name)) this.rows.set(feed.name, new OverviewRow(feed.name));
      const row = this.rows.get(feed.name);
      if (table.tBodies[index] !== row.element) table.insertBefore(row.element, table.tBodies[index] ?? null);
      row.update(feed, feed.name === openName);
    });
  }

  focus(name) {
    this.rows.get(name)?.link.focus();
  }
}
