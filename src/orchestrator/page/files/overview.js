// The overview: how far the build is, what each drone builds, what failed, what to do next.

import { commands, h, link, packagePlace, row, section, show, table } from "./dom.js";
import { PLACES, ago, count, duration, moment, share, size } from "./words.js";

const DRONES = {
  idle: ["idle", ""],
  building: ["building", "good"],
  draining: ["draining", "warning"],
  grounded: ["resting", "warning"],
  unwell: ["unwell", "bad"],
  unreachable: ["unreachable", "bad"],
  refused: ["left out", "bad"],
};

export function openOverview(context) {
  const draw = () => {
    const overview = context.overview();
    if (overview) show(context.body, view(overview, context.now()));
  };
  return { refresh: async () => draw(), tick: draw };
}

function view(overview, now) {
  return [
    build(overview, now),
    notices(overview),
    drones(overview, now),
    failed(overview),
    others(overview, now),
  ];
}

function build(overview, now) {
  const { build, next } = overview;
  const following = h("p", { class: "next", "data-key": "next" }, h("strong", null, "Next: "), commands(next));
  if (!build) return section("Build", { class: "build" }, following);
  const { packages } = build;
  const all = Math.max(1, Object.values(packages).reduce((sum, each) => sum + each, 0));
  // The share is of the moment that it was told at; the rest goes on with the clock.
  const left = build.left_s === null ? null : Math.max(0, build.left_s - (now - new Date(overview.at).getTime()) / 1000);
  return section("Build", { class: "build" },
    h("p", { class: "headline", "data-key": "headline" }, headline(build, left)),
    h("div", { class: "stack", role: "img", "aria-label": PLACES.map(([name, word]) => `${packages[name]} ${word}`).join(", ") },
      PLACES.map(([name]) => h("span", { class: name, style: { width: `${(100 * packages[name]) / all}%` } }))),
    h("ul", { class: "counts" }, PLACES.map(([name, word]) => h("li", { class: name },
      link(`#packages?place=${name}`, h("b", null, packages[name].toLocaleString()), ` ${word}`)))),
    h("p", { class: "faint" }, `${build.selection} for ${build.driver}, build ${build.id}, begun ${moment(build.started)}, ${ago(build.started, now)}`),
    following);
}

function headline(build, left) {
  if (build.released) return `Live as release ${build.released}`;
  if (build.finished) return `Over since ${moment(build.finished)}, and not released`;
  const done = `${Math.floor(build.done * 100)} % done`;
  return left === null ? done : `${done}, about ${duration(left)} left`;
}

function notices(overview) {
  const lines = [
    ...overview.alarms.map((alarm) => ["bad", `${alarm.cause}: ${alarm.words}, since ${moment(alarm.since)}. `, alarm.next]),
    ...Object.entries(overview.channels).map(([name, channel]) =>
      ["warning", `${name} could not be told since ${moment(channel.since)}: ${channel.why}`]),
    ...overview.warnings.map((warning) => ["warning", warning]),
  ];
  if (overview.low_disk) {
    lines.unshift(["bad", `${overview.low_disk.what} has ${size(overview.low_disk.free)} left: nothing new is started`]);
  }
  return lines.length > 0 && section("Attention", null,
    h("ul", { class: "notices" }, lines.map(([tone, text, command]) =>
      h("li", { class: `notice ${tone}` }, commands(text), command && h("code", null, command)))));
}

function drones(overview, now) {
  const entries = Object.entries(overview.drones);
  return section("Drones", null,
    entries.length === 0 && h("p", { class: "faint" }, "The inventory names none."),
    h("ul", { class: "drones" }, entries.map(([name, drone]) => {
      const [word, tone] = DRONES[drone.state] ?? [drone.state, ""];
      return h("li", { class: "drone", "data-key": name },
        h("p", { class: "drone-name" }, h("b", null, name), h("span", { class: `badge ${tone}` }, word),
          h("span", { class: "faint" }, count(drone.cores, "core"))),
        drone.reason && h("p", { class: "faint" }, commands(drone.reason)),
        drone.no_clean_room && h("p", { class: "faint" }, `no clean room: ${drone.no_clean_room}`),
        drone.jobs.map((job) => atWork(job, now)));
    })));
}

function atWork(job, now) {
  const lasted = Math.max(0, (now - new Date(job.since).getTime()) / 1000);
  const left = job.expected_s - lasted;
  const text = left > 0 ? `about ${duration(left)} left` : `${duration(-left)} longer than expected`;
  return h("div", { class: "job", "data-key": job.job },
    h("p", null, link(packagePlace(job.package), job.package),
      h("span", { class: "faint" }, `${duration(lasted)}, ${text}`)),
    h("div", { class: left > 0 ? "gauge" : "gauge late", role: "progressbar", "aria-label": job.package, "aria-valuemin": "0", "aria-valuemax": "100",
      "aria-valuenow": String(Math.round(100 * share(lasted, job.expected_s))) },
    h("span", { style: { width: `${100 * share(lasted, job.expected_s)}%` } })));
}

function failed(overview) {
  const entries = Object.entries(overview.failed).sort(([, left], [, right]) => right.blocks - left.blocks);
  const all = overview.build?.packages.failed ?? 0;
  return entries.length > 0 && section("Failed", null,
    table("Packages that are given up", [["package"], ["why"], ["on"], ["tries", "number"], ["holds up", "number"]],
      entries.map(([label, each]) => row(label,
        link(packagePlace(label), label),
        [[h("span", { class: "badge bad" }, each.class), " ", each.reason], "long"],
        each.drone, [each.attempts, "number"], [each.blocks, "number"]))),
    all > entries.length && h("p", null, link("#packages?place=failed", `and ${count(all - entries.length, "more", "more")}`)));
}

function behind({ events, packages, seconds }) {
  if (events === 0 && packages === 0) return "has all";
  return `behind by ${count(events, "event")} and ${count(packages, "package")}, ${duration(seconds)}`;
}

function others(overview, now) {
  const lines = [];
  const line = (what, ...text) => lines.push(h("div", { "data-key": what }, h("dt", null, what), h("dd", null, ...text)));
  line("Live release", overview.release ?? "none", overview.released && `, since ${moment(overview.released)}`);
  for (const [name, release] of Object.entries(overview.orchestrators)) line(`At ${name}`, release ?? "nothing of this swarm");
  for (const [name, standby] of Object.entries(overview.standbys)) line(`Standby ${name}`, standby.away ? "away, " : "", behind(standby));
  const { follows } = overview;
  if (follows) line("Stands by for", `${follows.leader}, ${behind(follows)}`, follows.trouble && `: ${follows.trouble}`);
  overview.queue.forEach((queued, index) => line(`In turn ${index + 1}`, `${queued.selection} for ${queued.driver}, ${count(queued.packages, "package")}`));
  if (overview.set_aside.length > 0) line("Set aside", overview.set_aside.join(", "));
  const run = overview.last_run;
  if (run) {
    line("Last run", `${run.name}, begun ${moment(run.started)}: `, run.finished
      ? `status ${run.status}, ${run.reason}` : `at work for ${duration((now - new Date(run.started).getTime()) / 1000)}`);
  }
  line("Epoch", `${overview.epoch}${overview.controller ? `, controller ${overview.controller}` : ""}`);
  return section("Besides", null, h("dl", { class: "facts" }, lines));
}
