// SPDX-License-Identifier: Apache-2.0
// Elements, numbers and times, as people read them.

const byId = (id) => document.getElementById(id);

// What comes from the daemon or a table goes in as text, never as HTML.
function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Only where it differs, so that selections stay and screen readers are told once.
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

const wholes = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const tenths = new Intl.NumberFormat("en", {maximumFractionDigits: 1});

const whole = (number) => wholes.format(number);
const rate = (number) => (number >= 100 ? whole(number) : tenths.format(number));

const two = (number) => String(number).padStart(2, "0");
const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
const exactClock = (date) => `${clock(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;

// The largest units of a time in seconds.
function duration(seconds, limit = 2) {
  if (seconds < 10) return `${tenths.format(seconds)} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = Math.max(0, units.findIndex(([, size]) => seconds >= size));
  let rest = Math.floor(seconds);
  const parts = [];
  for (const [unit, size] of units.slice(first, first + limit)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.join(" ");
}

// A text as one word of a POSIX shell: nothing but the quote itself means anything inside single quotes.
const shellWord = (text) => `'${text.replaceAll("'", "'\\''")}'`;
