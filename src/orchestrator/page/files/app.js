// The frame: which view is open, the connection, and what is told to whoever does not see the page.
//
// A view is opened with the rest of its place (`#name/rest?key=value`) and gives back what it does when something has
// happened (`refresh`), once a second (`tick`, where it has it) and at its end (`close`, where it has it).

import { h, show } from "./dom.js";
import { count, moment } from "./words.js";
import { Trouble, fetchView, listen } from "./server.js";
import { openOverview } from "./overview.js";
import { openPackages } from "./packages.js";
import { openPackage } from "./package.js";
import { openLog } from "./log.js";
import { openTimeline } from "./timeline.js";
import { openWaiting } from "./waiting.js";
import { openHistory } from "./history.js";
import { openReleases } from "./releases.js";

const VIEWS = {
  overview: { title: "Overview", open: openOverview },
  packages: { title: "Packages", open: openPackages },
  package: { title: "Package", open: openPackage, within: "packages" },
  timeline: { title: "Timeline", open: openTimeline },
  waiting: { title: "Waiting", open: openWaiting },
  history: { title: "History", open: openHistory },
  releases: { title: "Releases", open: openReleases },
  log: { title: "Log", open: openLog, within: "packages" },
};

const main = document.getElementById("content");
const connection = document.getElementById("connection");
const announcement = document.getElementById("announcement");
let open = null;
let known = null;
let lost = null;

function wanted() {
  const [path, query] = location.hash.slice(1).split("?", 2);
  const [name, ...rest] = path.split("/");
  const view = Object.hasOwn(VIEWS, name) ? name : "overview";
  const decoded = rest.map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { name: view, rest: decoded, query: new URLSearchParams(query ?? "") };
}

function mark(name) {
  const within = VIEWS[name].within ?? name;
  const items = Object.entries(VIEWS).filter(([, view]) => !view.within);
  show(document.getElementById("views"), items.map(([each, view]) =>
    h("li", null, h("a", { href: `#${each}`, "aria-current": each === within ? "page" : null }, view.title))));
  document.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** A view's own part of the page, and how it says what went wrong. */
function frame(name) {
  const heading = h("h1", { tabindex: "-1" }, VIEWS[name].title);
  const trouble = h("div", { role: "alert" });
  const body = h("div", { class: "body" });
  main.replaceChildren(heading, trouble, body);
  return { heading, trouble, body };
}

function go(first) {
  const { name, rest, query } = wanted();
  open?.controller.abort();
  open?.view.close?.();
  mark(name);
  const parts = frame(name);
  const controller = new AbortController();
  const context = {
    body: parts.body,
    rest,
    query,
    title: (text) => {
      parts.heading.textContent = "";
      parts.heading.append(...[text].flat());
      document.title = `${parts.heading.textContent} – ${known?.name ?? "swarm"}`;
    },
    fetch: (path, search) => fetchView(path, search, controller.signal),
    overview: () => known,
    now: serverNow,
  };
  context.title(VIEWS[name].title);
  open = { view: VIEWS[name].open(context), controller, parts, busy: false, again: false };
  if (!first) parts.heading.focus();
  refresh(open);
}

/** Has a view fetch what it shows; while it does so, once more afterwards at the most. */
async function refresh(which) {
  if (which.busy) {
    which.again = true;
    return;
  }
  which.busy = true;
  try {
    await which.view.refresh();
    show(which.parts.trouble);
  } catch (error) {
    if (which !== open || error.name === "AbortError") return;
    const text = error instanceof Trouble ? error.message : `this page has a fault: ${error.message}`;
    if (!(error instanceof Trouble)) console.error(error);
    show(which.parts.trouble, h("p", { class: "notice bad" }, text));
  } finally {
    which.busy = false;
    if (which.again && which === open) {
      which.again = false;
      refresh(which);
    }
  }
}

/** The orchestrator's clock, which need not be this machine's (milliseconds). */
function serverNow() {
  return known ? known.clock + performance.now() : Date.now();
}

function say(text) {
  announcement.textContent = text;
}

/** What of a change is worth telling to whoever does not see it. */
function tell(before, after) {
  const [was, is] = [before?.build, after.build];
  if (!is) return;
  if (!was || was.id !== is.id) say(`Build ${is.id} is open, of ${is.selection}`);
  else if (is.released && was.released !== is.released) say(`Release ${is.released} is live`);
  else if (is.packages.failed > was.packages.failed) say(`${count(is.packages.failed, "package has", "packages have")} failed`);
  else if (is.finished && !was.finished) say("The build is over");
}

async function look() {
  const overview = await fetchView("overview");
  overview.clock = new Date(overview.at).getTime() - performance.now();
  tell(known, overview);
  known = overview;
  document.getElementById("name").textContent = overview.name ?? "swarm";
}

let looking = false;
let lookAgain = false;
/** Asks how things stand, and then has the open view do so. */
async function changed() {
  if (looking) {
    lookAgain = true;
    return;
  }
  looking = true;
  try {
    await look();
    if (lost !== null) stands(lost);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    lost ??= Date.now();
    stands(lost, error.message);
  } finally {
    looking = false;
  }
  await refresh(open);
  if (lookAgain) {
    lookAgain = false;
    changed();
  }
}

function stands(gone, why) {
  lost = gone;
  connection.className = gone === null ? "connection good" : "connection bad";
  const text = gone === null ? "live" : `not connected since ${moment(gone)}${why ? `: ${why}` : ""}`;
  if (connection.textContent !== text) connection.textContent = text;
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("hashchange", () => go(false));
setInterval(() => {
  if (!document.hidden) open?.view.tick?.();
}, 1000);
// The overview is there before the first view asks for it, so that it knows the build and the clock.
look().catch(() => {}).finally(() => {
  go(true);
  listen(changed, stands);
});
