// SPDX-License-Identifier: Apache-2.0
// The page: asks how the daemon fares, for a token where one is needed, and opens the feed that its address names.

// The token of this tab, for the page at this address alone.
const tokenStore = {
  key: `rowtail token ${base.pathname}`,
  get() {
    try {
      return sessionStorage.getItem(this.key) ?? undefined;
    } catch {
      return undefined;
    }
  },
  set(token) {
    try {
      if (token === undefined) sessionStorage.removeItem(this.key);
      else sessionStorage.setItem(this.key, token);
    } catch {
      // Where nothing may be stored, it is asked for again after the page was loaded anew.
    }
  },
};

const access = {token: tokenStore.get(), allowsQueryToken: false};
const overview = new Overview();
const view = new FeedView(access, {
  askForToken: () => askForToken("The token is not valid any more."),
  refresh: () => poll(),
});
let status;
let takenAt;
let awaySince;
let timer;
let isAsking = false;

function tellConnection(className, text) {
  byId("connection").className = `connection says ${className}`;
  setText(byId("connection"), text);
}

function askForToken(message) {
  isAsking = true;
  clearTimeout(timer);
  if (byId("ask").hidden) {
    byId("ask").hidden = false;
    byId("token").focus();
  }
  setText(byId("token-error"), message);
  tellConnection("is-wait", "A token is needed");
}

async function poll() {
  clearTimeout(timer);
  const {token} = access;
  try {
    const headers = token ? {Authorization: `Bearer ${token}`} : {};
    const signal = AbortSignal.timeout(10_000);
    const answer = await fetch(new URL("status", base), {headers, cache: "no-store", signal});
    // Asked with the one before.
    if (token !== access.token) return;
    if (answer.status === 401) {
      askForToken(token ? "The token is not valid." : "");
      return;
    }
    if (answer.status === 404) throw new Error("The status page was turned off");
    if (answer.status !== 200) throw new Error(`The answer is ${answer.status}`);
    take(await answer.json());
  } catch (error) {
    awaySince ??= new Date();
    // What fetch says of a daemon that is gone differs from browser to browser, and tells nothing.
    const what = error.name === "Error" ? error.message : "No answer";
    tellConnection("is-bad", `${what} since ${clock(awaySince)}, trying again`);
    if (takenAt) setText(byId("as-of"), `as of ${clock(takenAt)}`);
  }
  clearTimeout(timer);
  if (!document.hidden && !isAsking) timer = setTimeout(poll, 2000);
}

function take(answer) {
  status = answer;
  takenAt = new Date();
  awaySince = undefined;
  isAsking = false;
  byId("ask").hidden = true;
  // Who needs none is refused with one in the URL.
  if (!status.needs_token && access.token) {
    access.token = undefined;
    tokenStore.set(undefined);
  }
  byId("forget").hidden = !access.token;
  access.allowsQueryToken = status.allows_query_token;
  tellConnection("is-good", "Connected");
  setText(byId("as-of"), "");
  setText(byId("version"), status.version);
  setText(byId("uptime"), `up ${duration(status.uptime_seconds)}`);
  const limit = status.stream_limit;
  const streams = `${whole(status.streams)}${limit === null ? "" : ` of ${whole(limit)}`}`;
  setText(byId("streams"), `${streams} ${(limit ?? status.streams) === 1 ? "stream" : "streams"}`);
  show();
}

// The feed that the address names.
function wanted() {
  return new URLSearchParams(location.hash.slice(1)).get("feed") ?? undefined;
}

function show(movesFocus = false) {
  const name = wanted();
  overview.update(status.feeds, name);
  document.title = name === undefined ? "rowtail" : `${name} · rowtail`;
  const feed = status.feeds.find((feed) => feed.name === name);
  if (name === undefined) {
    if (view.isOpen) view.close();
  } else if (view.isOpen && view.feed.name === name) {
    view.update(feed);
  } else if (feed) {
    view.open(feed);
    view.update(feed);
    if (movesFocus) byId("feed-title").focus();
    else byId("feed").scrollIntoView();
  } else if (view.isOpen) {
    view.close();
  }
  const isMissing = name !== undefined && !view.isOpen;
  setText(byId("missing"), isMissing ? `There is no feed '${name}', or the token may not read it.` : "");
}

addEventListener("hashchange", () => {
  // The address of the link that skips to the feeds names none.
  if (status && (location.hash === "" || location.hash.startsWith("#feed="))) show(true);
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden && !isAsking) poll();
});
byId("close").addEventListener("click", () => {
  const name = wanted();
  history.pushState(null, "", location.pathname + location.search);
  show();
  overview.focus(name);
});
byId("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  byId("token").value = "";
  // No request can carry it, which would look like a daemon that doesn't answer.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    setText(byId("token-error"), "A token has letters, digits and signs of ASCII alone, and this one has others.");
    byId("token").focus();
    return;
  }
  access.token = token;
  tokenStore.set(token);
  setText(byId("token-error"), "");
  // Where nobody answers now, it is tried again.
  isAsking = false;
  await poll();
  if (isAsking) byId("token").focus();
  else if (view.isOpen) view.follow();
});
byId("forget").addEventListener("click", () => {
  tokenStore.set(undefined);
  location.reload();
});

poll();
