// SPDX-License-Identifier: Apache-2.0
// One feed, opened: its rows as they arrive.

const resetMeanings = {
  rewound: "rows that were sent went away, and their ids may come again",
  replaced: "another file or table took the place",
  pruned: "what came after that id was deleted from the log",
  ahead: "that id is newer than the newest row",
  generation: "the daemon doesn't know the generation of that id",
};

const endMeanings = {
  limit: "as many events as were asked for have been sent",
  head: "everything that there was has been sent",
  drain: "the daemon ends; the page comes back to the next one",
  age: "the stream reached its greatest age; the page comes back",
  reset: "continuity broke, and the feed is set to end then",
  reload: "the feed's configuration changed; the page comes back",
  unauthorized: "the token may not read this feed any more",
};

// What control events say. Their data is the daemon's own JSON; rows are never read as such.
function controlText(kind, data) {
  const told = JSON.parse(data);
  switch (kind) {
    case "reset": {
      const meaning = resetMeanings[told.reason] ?? "continuity broke";
      const place = `Asked for ${told.requested}, goes on after ${told.resumed_from}.`;
      return [`Reset: ${told.reason}`, `${meaning}. ${place}`];
    }
    case "end":
      return [`End: ${told.reason}`, `${endMeanings[told.reason] ?? "the daemon ended the stream"}.`];
    default:
      return ["Oversize", `a row of ${whole(told.bytes)} bytes is above max_event_bytes and was left out.`];
  }
}

// The newest entries, drawn at most once a frame.
class RowList {
  static limit = 500;
  static characters = 8_000_000;
  static shown = 4000;

  constructor() {
    this.box = byId("log");
    this.list = byId("rows");
    this.filter = "";
    this.clear();
  }

  clear() {
    this.recent = [];
    this.size = 0;
    this.pending = [];
    this.received = 0;
    this.list.replaceChildren();
    this.follows = true;
    this.schedule();
  }

  matches(entry) {
    if (this.filter === "" || entry.isTold) return true;
    return `${entry.id} ${entry.text}`.toLowerCase().includes(this.filter);
  }

  // An entry is {kind, id, text, title?, className?}; told entries are not rows, and no filter hides them.
  add(entry) {
    entry.at = new Date();
    entry.isTold = !["row", "frame"].includes(entry.kind);
    if (!entry.isTold) this.received += 1;
    this.recent.push(entry);
    this.size += entry.text.length;
    if (this.matches(entry)) this.pending.push(entry);
    this.drop();
    this.schedule();
  }

  // Drops the oldest: what is drawn next as well, as nothing is drawn in a tab that isn't seen.
  drop() {
    while (this.recent.length > RowList.limit || (this.size > RowList.characters && this.recent.length > 1)) {
      const entry = this.recent.shift();
      this.size -= entry.text.length;
      if (this.pending[0] === entry) this.pending.shift();
    }
  }

  setFilter(text) {
    this.filter = text.toLowerCase();
    this.list.replaceChildren();
    this.pending = this.recent.filter((entry) => this.matches(entry));
    this.schedule();
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = undefined;
    // Who has scrolled up reads something.
    const follows = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 40;
    const added = document.createDocumentFragment();
    for (const entry of this.pending) added.append(RowList.draw(entry));
    this.pending = [];
    this.list.append(added);
    while (this.list.childElementCount > RowList.limit) this.list.firstElementChild.remove();
    if (follows) this.box.scrollTop = this.box.scrollHeight;
    const shown = this.list.querySelectorAll(".row, .frame").length;
    const kept = this.recent.filter((entry) => !entry.isTold).length;
    let text = this.received === 0 ? "" : `${whole(this.received)} received`;
    if (this.received > kept) text += `, the newest ${whole(kept)} are kept`;
    if (this.filter !== "") text += `${text && ", "}${whole(shown)} shown by the filter`;
    setText(byId("counts"), text);
    byId("empty").hidden = this.list.childElementCount > 0;
    setText(byId("empty"), this.filter === "" ? "No rows yet." : "No row here has that text.");
  }

  // The text as it is drawn: not all of a very long one, and no character that has others change their places.
  static drawn(text) {
    const start = text.slice(0, RowList.shown).replace(/[\u202a-\u202e\u2066-\u2069]/g, (character) => {
      return `\\u${character.charCodeAt(0).toString(16)}`;
    });
    return text.length <= RowList.shown ? start : `${start}… (${whole(text.length)} characters in all)`;
  }

  static draw(entry) {
    const item = element("li", entry.isTold ? `told ${entry.kind}` : entry.className ?? entry.kind);
    const time = element("time", "", exactClock(entry.at));
    time.dateTime = entry.at.toISOString();
    const data = element("span", "data");
    if (entry.title) data.append(element("strong", "", entry.title), " ");
    data.append(RowList.drawn(entry.text));
    item.append(time);
    if (entry.kind !== "frame") item.append(element("span", "id", entry.id));
    item.append(data);
    return item;
  }
}

// The panel of the feed that is open.
class FeedView {
  // What the page does for it: askForToken(), and refresh(), after which update() was called.
  constructor(access, {askForToken, refresh}) {
    this.access = access;
    this.askForToken = askForToken;
    this.refresh = refresh;
    this.rows = new RowList();
    byId("start").addEventListener("change", () => this.showStartId());
    byId("start-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.begin();
    });
    byId("pause").addEventListener("click", () => (this.stream ? this.pause() : this.follow()));
    byId("clear").addEventListener("click", () => this.rows.clear());
    byId("filter").addEventListener("input", (event) => this.rows.setFilter(event.target.value));
    byId("raw").addEventListener("change", () => this.changeReader());
    byId("show-token").addEventListener("change", () => this.showCurl());
    byId("copy").addEventListener("click", () => this.copy());
  }

  get isOpen() {
    return this.feed !== undefined;
  }

  open(feed) {
    this.close();
    this.feed = feed;
    byId("feed").hidden = false;
    setText(byId("feed-title"), feed.name);
    byId("start").value = "-20";
    this.showStartId();
    this.begin();
  }

  close() {
    this.stop();
    this.feed = undefined;
    this.lastId = undefined;
    byId("feed").hidden = true;
    byId("filter").value = "";
    this.rows.setFilter("");
    this.rows.clear();
  }

  // Takes in what the daemon says of the feed now; undefined where it has no such feed.
  update(feed) {
    setText(byId("feed-error"), feed ? "" : "The daemon serves no feed of this name now.");
    if (!feed) return;
    // Its rows have another name, or the token another way or none, which EventSource has to be told.
    const isOther = feed.event !== this.feed.event
      || this.stream?.access.allowsQueryToken !== this.access.allowsQueryToken
      || this.stream?.access.token !== this.access.token;
    this.feed = feed;
    const resets = Object.entries(feed.resets)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => `${count} ${reason}`);
    const facts = [
      feed.table === feed.name ? undefined : `table ${feed.table}`,
      `mode ${feed.mode}`,
      `head ${feed.head}`,
      feed.earliest.startsWith("earliest") ? undefined : `nothing up to ${feed.earliest} is left`,
      `generation ${feed.generation}`,
      resets.length > 0 ? `resets: ${resets.join(", ")}` : "no resets",
      feed.state === "live" || feed.state === "retired" ? feed.state : `${feed.state}: ${feed.reason}`,
    ];
    setText(byId("feed-facts"), facts.filter(Boolean).join(" · "));
    const error = feed.state === "live" && feed.last_error ? `The last error, which is over: ${feed.last_error}` : "";
    setText(byId("feed-error"), error);
    if (this.stream && isOther) this.follow();
  }

  showStartId() {
    byId("start-id").hidden = byId("start").value !== "id";
  }

  // Starts anew, as the form says.
  async begin() {
    const start = byId("start").value;
    const id = byId("start-id").value.trim();
    if (start === "id" && id === "") {
      byId("start-id").focus();
      return;
    }
    this.stop();
    this.rows.clear();
    this.lastId = undefined;
    if (start === "id") this.start = {id};
    else if (start !== "latest") this.start = {since: start};
    // An id that is known, so that a pause before the first row misses nothing either.
    else if (!(await this.findHead())) return;
    this.follow();
  }

  // Whether this is still what the user wants once the daemon has said where the head is.
  async findHead() {
    const feed = this.feed;
    this.start = {id: feed.head};
    this.say("is-wait", "Connecting");
    const wanted = this.start;
    await this.refresh();
    if (this.start !== wanted || this.feed?.name !== feed.name) return false;
    this.start = {id: this.feed.head};
    return true;
  }

  // Goes on where the stream is, by a new connection.
  follow() {
    this.stop();
    const start = this.lastId === undefined ? this.start : {id: this.lastId};
    this.awaySince = undefined;
    this.stream = new FeedStream(this.feed, start, {...this.access}, byId("raw").checked, this.listener());
    this.from = start;
    setText(byId("pause"), "Pause");
    this.showCurl();
  }

  listener() {
    return {
      row: (kind, id, data) => {
        this.lastId = id;
        if (kind === "row") {
          this.rows.add({kind, id, text: data});
          return;
        }
        const [title, text] = controlText(kind, data);
        this.rows.add({kind, id, title, text});
      },
      frame: (text, event) => {
        const kind = controlEvents.includes(event) ? event.slice("rowtail.".length) : "";
        this.rows.add({kind: "frame", id: "", text, className: `frame ${kind}`});
      },
      state: (name, message) => this.tell(name, message),
      unauthorized: () => {
        this.tell("refused", "the token is not valid");
        this.askForToken();
      },
    };
  }

  stop() {
    if (!this.stream) return;
    this.lastId = this.stream.lastId ?? this.lastId;
    this.stream.close();
    this.stream = undefined;
  }

  pause() {
    this.stop();
    setText(byId("pause"), "Resume");
    // EventSource tells no id before the first row.
    const place = this.lastId ?? this.start.id;
    const next = place === undefined ? "; resuming starts as at first" : ` after ${place}; resuming misses nothing`;
    this.say("is-wait", `Paused${next}`);
  }

  changeReader() {
    const isRaw = byId("raw").checked;
    const text = isRaw ? "Frames as they are sent, from here on." : "Rows again, from here on.";
    this.rows.add({kind: "note", id: "", text});
    if (this.stream) this.follow();
  }

  say(className, text) {
    const target = byId("stream-state");
    target.className = `stream-state says ${className}`;
    setText(target, text);
  }

  get reader() {
    if (this.stream.usesEventSource) return "EventSource";
    return `fetch, as EventSource ${byId("raw").checked ? "shows no frames" : "can't send the token"}`;
  }

  tell(name, message) {
    if (name === "open") {
      if (this.awaySince) this.rows.add({kind: "note", id: "", text: "Connected again."});
      this.awaySince = undefined;
      this.say("is-good", `Open, by ${this.reader}`);
    } else if (name === "away") {
      if (!this.awaySince) {
        this.awaySince = new Date();
        this.rows.add({kind: "note", id: "", text: "The connection is gone; trying again."});
      }
      this.say("is-wait", `Away since ${clock(this.awaySince)}, trying again`);
    } else if (name === "connecting") {
      this.say("is-wait", "Connecting");
    } else {
      this.say("is-bad", `${name === "over" ? "Over" : "Refused"}: ${message}`);
    }
  }

  showCurl() {
    if (!this.from) return;
    const {token} = this.access;
    byId("show-token-label").hidden = !token;
    const words = ["curl", "-N"];
    if (token) {
      const shown = shellWord(`Authorization: Bearer ${token}`);
      words.push("-H", byId("show-token").checked ? shown : '"Authorization: Bearer $TOKEN"');
    }
    words.push(shellWord(feedURL(this.feed.name, this.from).href));
    setText(byId("curl"), words.join(" "));
  }

  async copy() {
    getSelection().selectAllChildren(byId("curl"));
    // Not there by plain HTTP from other machines; what is selected can be copied by hand.
    const isCopied = await navigator.clipboard?.writeText(byId("curl").textContent).then(() => true, () => false);
    setText(byId("copy"), isCopied ? "Copied" : "Selected");
    setTimeout(() => setText(byId("copy"), "Copy"), 2000);
  }
}
