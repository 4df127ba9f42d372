// Releases, and how two of them differ.

import { h, link, row, section, show, table } from "./dom.js";
import { count, moment, size } from "./words.js";

const MARKS = { live: ["live", "good"], left: ["left", "warning"], never_live: ["never live", ""] };
/** So many of a kind of difference are shown. */
const ROWS = 500;

export function openReleases(context) {
  const [from, to] = context.rest;
  const refresh = async () => {
    if (from && to) {
      context.title([link("#releases", "Releases"), `: ${from} to ${to}`]);
      show(context.body, differences(await context.fetch(`releases/${encodeURIComponent(from)}/${encodeURIComponent(to)}`)));
    } else {
      show(context.body, list((await context.fetch("releases")).reverse()));
    }
  };
  return { refresh };
}

function list(releases) {
  if (releases.length === 0) return h("p", null, "There is no release yet: ", h("code", null, "swarm finalize"), " makes the first one.");
  const names = releases.map((release) => release.id);
  return [
    compare(names),
    table("Kept releases, the latest first", [["release"], ["made"], ["packages", "number"], ["size", "number"], ["from"], [""]],
      releases.map((release, index) => row(release.id, release.id, release.date ? moment(release.date) : "",
        [release.packages.toLocaleString(), "number"], [size(release.size), "number"],
        [[origin(release), release.marks.map((mark) => h("span", { class: `badge ${MARKS[mark][1]}` }, MARKS[mark][0]))]],
        index + 1 < releases.length && link(place(names[index + 1], release.id), "what changed")))),
  ];
}

function origin(release) {
  if (release.build) return `${release.partial ? "a part of " : ""}build ${release.build} `;
  return release.rollback_to ? `roll-back to ${release.rollback_to} ` : "found here ";
}

function place(from, to) {
  return `#releases/${encodeURIComponent(from)}/${encodeURIComponent(to)}`;
}

function compare(names) {
  if (names.length < 2) return null;
  const choice = (label, chosen) => h("label", null, `${label} `, h("select", { name: label.toLowerCase() },
    names.map((name) => h("option", { value: name, selected: name === chosen }, name))));
  return h("form", { class: "filter", "data-key": "compare", onsubmit: (event) => {
    event.preventDefault();
    const [from, to] = [...event.target.querySelectorAll("select")].map((select) => select.value);
    location.hash = place(from, to);
  } }, choice("From", names[1]), choice("to", names[0]), h("span", { class: "tools" }, h("button", null, "Compare")));
}

function differences({ added, removed, changed }) {
  const all = added.length + removed.length + changed.length;
  if (all === 0) return h("p", null, "No difference.");
  const part = (title, entries, columns, cells) => entries.length > 0 && section(`${title}: ${entries.length.toLocaleString()}`, null,
    table(title, columns, entries.slice(0, ROWS).map(cells)),
    entries.length > ROWS && h("p", { class: "faint" }, `and ${count(entries.length - ROWS, "more", "more")}; `, h("code", null, "swarm diff"), " has them all"));
  const side = (each) => row(each.path, each.cpv, [size(each.size), "number"]);
  const single = [["package"], ["size", "number"]];
  return [
    part("Changed", changed, [["package"], ["before"], ["slot"], ["USE"], ["size", "number"], ["size before", "number"]], (each) => row(each.to.path,
      each.to.cpv, each.from.cpv, each.slot, each.use.join(" "), [size(each.to.size), "number"], [size(each.from.size), "number"])),
    part("New", added, single, side),
    part("Gone", removed, single, side),
  ];
}
