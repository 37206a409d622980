// SPDX-License-Identifier: Apache-2.0
// A feed's stream, read by the browser's EventSource or, where that can't do it, by fetch.

// Where the daemon is: beside this page, whatever a proxy puts before both.
const base = new URL(".", location.href);

// A start is {since} or {id}: ids are resumed after.
function feedURL(name, start) {
  const url = new URL(`feeds/${encodeURIComponent(name)}`, base);
  if (start.id !== undefined) url.searchParams.set("last_event_id", start.id);
  else url.searchParams.set("since", start.since);
  return url;
}

const controlEvents = ["rowtail.reset", "rowtail.oversize", "rowtail.end"];

// Cuts a stream into frames (WHATWG HTML, section 9.2.6); the daemon ends lines by LF.
class FrameParser {
  constructor(take) {
    this.take = take;
    this.rest = "";
    this.lines = [];
  }

  feed(text) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    for (const line of lines) {
      if (line !== "") {
        this.lines.push(line);
      } else if (this.lines.length > 0) {
        this.take(FrameParser.frame(this.lines));
        this.lines = [];
      }
    }
  }

  static frame(lines) {
    const frame = {text: lines.join("\n")};
    for (const line of lines) {
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "data") frame.data = frame.data === undefined ? value : `${frame.data}\n${value}`;
      else if (["id", "event", "retry"].includes(field)) frame[field] = value;
    }
    return frame;
  }
}

// Follows a feed until it is closed, and comes back by itself after the last id that it saw.
//
// The listener gets row(kind, id, data), frame(text, id), state(name, message) and unauthorized().
// States: connecting, open, away (it tries again), refused (it may try again), over.
class FeedStream {
  constructor(feed, start, access, wantsFrames, listener) {
    this.feed = feed;
    this.start = start;
    this.access = access;
    this.wantsFrames = wantsFrames;
    this.listener = listener;
    this.lastId = start.id;
    this.isClosed = false;
    this.retry = 3000;
    // It shows neither comments nor ids alone, and can't send a token but in the URL.
    this.usesEventSource = !wantsFrames && (!access.token || access.allowsQueryToken);
    listener.state("connecting");
    if (this.usesEventSource) this.listen();
    else this.read();
  }

  close() {
    this.isClosed = true;
    this.source?.close();
    this.attempt?.abort();
    clearTimeout(this.timer);
    this.wake?.();
  }

  get url() {
    return feedURL(this.feed.name, this.lastId === undefined ? this.start : {id: this.lastId});
  }

  row(kind, id, data) {
    // What comes after the end is on its way no more.
    if (this.isClosed) return;
    this.lastId = id;
    this.listener.row(kind, id, data);
  }

  listen() {
    const url = this.url;
    if (this.access.token) url.searchParams.set("access_token", this.access.token);
    const source = (this.source = new EventSource(url));
    // A feed may call its rows as EventSource calls its own events.
    const isRow = (event) => event instanceof MessageEvent;
    const take = (event) => {
      if (!isRow(event)) return;
      const kind = controlEvents.includes(event.type) ? event.type.slice("rowtail.".length) : "row";
      this.row(kind, event.lastEventId, event.data);
    };
    for (const type of ["message", this.feed.event, ...controlEvents]) {
      if (type) source.addEventListener(type, take);
    }
    source.addEventListener("open", (event) => {
      if (!isRow(event) && !this.isClosed) this.listener.state("open");
    });
    source.addEventListener("error", (event) => {
      if (isRow(event) || this.isClosed) return;
      if (source.readyState === EventSource.CLOSED) this.examine();
      else this.listener.state("away");
    });
  }

  // EventSource gives up where it is refused, and doesn't say why.
  async examine() {
    const answer = await this.ask();
    if (this.isClosed) return;
    if (answer?.status === 200) this.attempt.abort();
    else if (answer && !(await this.refused(answer))) return;
    await this.pause(answer ? 1000 : this.retry);
    if (!this.isClosed) this.listen();
  }

  async ask() {
    this.attempt = new AbortController();
    const headers = {Accept: "text/event-stream"};
    if (this.access.token) headers.Authorization = `Bearer ${this.access.token}`;
    try {
      return await fetch(this.url, {headers, cache: "no-store", signal: this.attempt.signal});
    } catch {
      if (!this.isClosed) this.listener.state("away");
      return undefined;
    }
  }

  // Tells why, and whether it is worth another try; waits before it.
  async refused(answer) {
    if (answer.status === 204) {
      this.listener.state("over", "the feed has ended for good");
      return false;
    }
    const message = await answer.json().then((body) => body.error.message, () => `the answer is ${answer.status}`);
    if (this.isClosed) return false;
    if (answer.status === 401) {
      this.listener.unauthorized();
      return false;
    }
    const isWorthIt = [403, 404, 429].includes(answer.status) || answer.status >= 500;
    this.listener.state("refused", message + (isWorthIt ? "; trying again" : ""));
    if (isWorthIt) await this.pause(4000);
    return isWorthIt && !this.isClosed;
  }

  pause(milliseconds) {
    return new Promise((resolve) => {
      this.wake = resolve;
      this.timer = setTimeout(resolve, milliseconds);
    });
  }

  async read() {
    while (!this.isClosed) {
      const answer = await this.ask();
      if (this.isClosed) return;
      if (answer && answer.status !== 200) {
        if (!(await this.refused(answer))) return;
        continue;
      }
      if (answer) await this.readBody(answer.body);
      if (this.isClosed) return;
      this.listener.state("away");
      await this.pause(this.retry);
    }
  }

  async readBody(body) {
    this.listener.state("open");
    const parser = new FrameParser((frame) => this.take(frame));
    try {
      const reader = body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const {value, done} = await reader.read();
        if (done || this.isClosed) return;
        parser.feed(value);
      }
    } catch {
      // Cut off: what of a frame was here comes again.
    }
  }

  take(frame) {
    if (this.isClosed) return;
    if (frame.retry !== undefined) this.retry = Number(frame.retry);
    if (frame.id !== undefined) this.lastId = frame.id;
    if (this.wantsFrames) {
      this.listener.frame(frame.text, frame.event);
    } else if (frame.data !== undefined) {
      const kind = controlEvents.includes(frame.event) ? frame.event.slice("rowtail.".length) : "row";
      this.row(kind, this.lastId, frame.data);
    }
  }
}
