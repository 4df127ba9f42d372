// One package: why it is where it is, what was tried, what it needs and what needs it, its logs.

import { commands, h, link, packagePlace, row, section, show, table } from "./dom.js";
import { count, duration, moment, place, size } from "./words.js";

export function openPackage(context) {
  const wanted = context.rest.join("/");
  const refresh = async () => {
    const shown = await context.fetch(`package/${encodeURIComponent(wanted)}`);
    context.title(shown.label);
    show(context.body, view(shown));
  };
  return { refresh };
}

function view(shown) {
  return [
    h("p", { "data-key": "facts" }, h("span", { class: `place ${shown.place}` }, place(shown.place)),
      ` expected to take ${duration(shown.expected_s)}`, shown.critical && h("span", { class: "badge path" }, "longest path"),
      shown.place !== "received" && [" ", link(`#waiting/${encodeURIComponent(shown.label)}`, "what waits around it")]),
    section("Why", null, h("div", { class: "lines" }, shown.explanation.map((line) => h("p", {
      class: line.startsWith(" ") ? "within" : null }, commands(line.trim()))))),
    shown.attempts_made.length > 0 && section("Tried", null,
      table("Attempts", [["when"], ["on"], ["why not"], ["job"]], shown.attempts_made.map((each) => row(each.job,
        moment(each.at), each.drone, [[h("span", { class: "badge bad" }, each.class), " ", each.reason], "long"],
        logLink(shown, each.job))))),
    section("Logs", null, shown.logs.length === 0
      ? h("p", { class: "faint" }, "None is kept.")
      : h("ul", { class: "plain" }, shown.logs.map((log) => h("li", { "data-key": log.job }, logLink(shown, log.job),
        h("span", { class: "faint" }, ` ${size(log.length)}, ${moment(log.modified)}`),
        log.running && h("span", { class: "badge good" }, "grows"))))),
    neighbours("Needs", shown.needs),
    neighbours("Needed by", shown.dependents),
  ];
}

function logLink(shown, job) {
  const kept = shown.logs.some((log) => log.job === job);
  return kept ? link(`#log/${encodeURIComponent(shown.label)}?job=${encodeURIComponent(job)}`, job) : job;
}

function neighbours(title, { total, named }) {
  return section(title, null, total === 0
    ? h("p", { class: "faint" }, "Nothing in this build.")
    : h("ul", { class: "plain columns" }, named.map((each) => h("li", { "data-key": String(each.package) },
      h("span", { class: `place ${each.place}` }, place(each.place)), " ", link(packagePlace(each.label), each.label)))),
  total > named.length && h("p", { class: "faint" }, `and ${count(total - named.length, "more", "more")}`));
}
