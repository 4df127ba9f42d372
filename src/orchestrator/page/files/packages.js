// The list of packages: filtered, ordered and cut into pages by the server, however many there are.

import { h, link, packagePlace, row, show, table } from "./dom.js";
import { PLACES, count, duration, place } from "./words.js";

const ROWS = 100;
const COLUMNS = [
  ["label", "package", ""],
  ["place", "where", ""],
  ["attempts", "tries", "number"],
  ["waits_for", "waits for", "number"],
  ["needed_by", "needed by", "number"],
  ["expected", "expected", "number"],
];
const FILTERS = [["", "all"], ...PLACES, ["critical", "on the longest path"]];

export function openPackages(context) {
  const wanted = {
    place: context.query.get("place") ?? "",
    filter: context.query.get("filter") ?? "",
    sort: context.query.get("sort") ?? "",
    way: context.query.get("way") ?? "",
    offset: Number(context.query.get("offset") ?? 0) || 0,
  };
  const refresh = async () => {
    const part = await context.fetch("packages", { ...wanted, limit: ROWS });
    show(context.body, view(part, wanted, change));
  };
  // The place changes with what is wanted, so that it can be passed on; the view stays, and with it the focus.
  const change = (what) => {
    Object.assign(wanted, { offset: 0 }, what);
    const filled = Object.entries(wanted).filter(([, value]) => value !== "" && value !== 0);
    history.replaceState(null, "", `#packages${filled.length ? `?${new URLSearchParams(filled)}` : ""}`);
    refresh().catch((error) => {
      if (error.name !== "AbortError") throw error;
    });
  };
  return { refresh };
}

function view(part, wanted, change) {
  let typed = 0;
  const filter = (event) => {
    clearTimeout(typed);
    typed = setTimeout(() => change({ filter: event.target.value }), 200);
  };
  return [
    h("form", { class: "filter", role: "search", onsubmit: (event) => event.preventDefault() },
      h("label", null, "Name has ", h("input", { type: "search", name: "filter", value: wanted.filter, oninput: filter, autocomplete: "off", spellcheck: "false" })),
      h("label", null, "Where ", h("select", { name: "place", onchange: (event) => change({ place: event.target.value }) },
        FILTERS.map(([value, word]) => h("option", { value, selected: value === wanted.place }, word)))),
      h("p", { role: "status" }, count(part.total, "package"))),
    table("Packages of the build", COLUMNS.map((column) => header(column, wanted, change)),
      part.packages.map((each) => row(String(each.package),
        [[link(packagePlace(each.label), each.label), each.critical && h("span", { class: "badge path" }, "longest path")]],
        h("span", { class: `place ${each.place}` }, place(each.place)),
        [each.attempts || "", "number"], [each.waits_for || "", "number"], [each.needed_by || "", "number"],
        [duration(each.expected_s), "number"])), { class: "packages" }),
    pages(part, change),
  ];
}

function header([name, word, kind], wanted, change) {
  const sorted = wanted.sort === name;
  const next = sorted && wanted.way !== "down" ? "down" : "up";
  const arrow = sorted ? (wanted.way === "down" ? " ▾" : " ▴") : "";
  return h("th", { scope: "col", class: kind, "aria-sort": sorted ? (wanted.way === "down" ? "descending" : "ascending") : null },
    h("button", { type: "button", onclick: () => change({ sort: name, way: next }) }, word, h("span", { "aria-hidden": "true" }, arrow)));
}

function pages(part, change) {
  if (part.total <= ROWS && part.offset === 0) return null;
  const last = Math.min(part.offset + part.packages.length, part.total);
  const turn = (offset) => () => change({ offset: Math.max(0, offset) });
  return h("nav", { class: "pages", "aria-label": "Pages of the list" },
    h("button", { type: "button", disabled: part.offset === 0, onclick: turn(part.offset - ROWS) }, "Before"),
    h("span", null, part.packages.length ? `${part.offset + 1} to ${last} of ${part.total.toLocaleString()}` : "nothing here"),
    h("button", { type: "button", disabled: last >= part.total, onclick: turn(part.offset + ROWS) }, "Next"));
}
