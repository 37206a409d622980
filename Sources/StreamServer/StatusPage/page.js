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
  try {
    const headers = access.token ? {Authorization: `Bearer ${access.token}`} : {};
    const answer = await fetch(new URL("status", base), {headers, cache: "no-store", signal: AbortSignal.timeout(10_000)});
    if (answer.status === 401) {
      askForToken(access.token ? "The token is not valid." : "");
      return;
    }
    if (answer.status !== 200) throw new Error(answer.status === 404 ? "The status page was turned off" : `The answer is ${answer.status}`);
    take(await answer.json());
  } catch (error) {
    awaySince ??= new Date();
    // What fetch says of a daemon that is gone differs from browser to browser, and tells nothing.
    const what = error.name === "Error" ? error.message : "No answer";
    tellConnection("is-bad", `${what} since ${clock(awaySince)}, trying again`);
  }
  clearTimeout(timer);
  if (!document.hidden && !isAsking) timer = setTimeout(poll, 2000);
}

function take(answer) {
  status = answer;
  awaySince = undefined;
  isAsking = false;
  byId("ask").hidden = true;
  byId("forget").hidden = !access.token;
  access.allowsQueryToken = status.allows_query_token;
  tellConnection("is-good", "Connected");
  setText(byId("version"), status.version);
  setText(byId("uptime"), `up ${duration(status.uptime_seconds)}`);
  const limit = status.stream_limit === null ? "" : ` of ${whole(status.stream_limit)}`;
  setText(byId("streams"), status.stream_limit === null ? counted(status.streams, "stream", "streams") : `${whole(status.streams)}${limit} streams`);
  show();
}

// The feed that the address names.
function wanted() {
  return location.hash.startsWith("#feed=") ? decodeURIComponent(location.hash.slice("#feed=".length)) : undefined;
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
  } else if (view.isOpen) {
    view.close();
  }
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
  access.token = token;
  tokenStore.set(token);
  setText(byId("token-error"), "");
  await poll();
  if (isAsking) byId("token").focus();
  else if (view.isOpen) view.follow();
});
byId("forget").addEventListener("click", () => {
  tokenStore.set(undefined);
  location.reload();
});

poll();
