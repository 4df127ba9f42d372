// How good the estimates were: what builds were expected to take beside what they took.

import { h, row, section, show, svg, table } from "./dom.js";
import { count, duration, moment } from "./words.js";

const SIDE = 360;
const EDGE = 44;
const TICKS = [[1, "1 s"], [10, "10 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"], [36000, "10 h"], [360000, "100 h"]];
const ROWS = 50;

export function openHistory(context) {
  let worst = true;
  let told = null;
  const draw = () => show(context.body, view(told, worst, (next) => {
    worst = next;
    draw();
  }));
  const refresh = async () => {
    told = await context.fetch("history");
    draw();
  };
  return { refresh };
}

/** The factor by which an estimate was off. */
function factor(each) {
  return Math.max(each.expected_s / each.took_s, each.took_s / each.expected_s);
}

function view(told, worst, choose) {
  if (told.count === 0) {
    return h("p", null, "No package has been built twice yet, so no estimate can be held against what a build took.");
  }
  const { judged } = told;
  const rows = (worst ? [...judged].sort((left, right) => factor(right) - factor(left)) : judged).slice(0, ROWS);
  const choice = (value, text) => h("button", { type: "button", "aria-pressed": String(worst === value), onclick: () => choose(value) }, text);
  return [
    section("Accuracy", null,
      h("p", { class: "headline" }, `Off by a factor of ${told.median.toFixed(2)} at the median, ${told.p90.toFixed(2)} at the 90th percentile`),
      h("p", { class: "faint" }, `${count(told.count, "build")} of packages that had been built before${told.count > judged.length ? `; the latest ${judged.length} are shown` : ""}.`),
      h("div", { class: "scroll" }, drawing(judged))),
    section("Builds", null, h("p", { class: "tools" }, choice(true, "The worst estimates"), choice(false, "The latest")),
      table("Builds and their estimates", [["package"], ["on"], ["ended"], ["expected", "number"], ["took", "number"], ["off by", "number"]],
        rows.map((each) => row(`${each.cpv} ${each.at} ${each.drone}`, each.cpv, each.drone ?? "", moment(each.at),
          [duration(each.expected_s), "number"], [duration(each.took_s), "number"], [`× ${factor(each).toFixed(2)}`, "number"])))),
  ];
}

function drawing(judged) {
  const times = judged.flatMap((each) => [each.expected_s, each.took_s]);
  const [first, last] = [Math.log10(Math.max(0.5, Math.min(...times) / 1.5)), Math.log10(Math.max(10, Math.max(...times) * 1.5))];
  const along = (seconds) => ((Math.log10(Math.max(seconds, 0.1)) - first) / (last - first)) * (SIDE - EDGE);
  const [x, y] = [(seconds) => EDGE + along(seconds), (seconds) => SIDE - EDGE - along(seconds)];
  const inside = TICKS.filter(([seconds]) => along(seconds) >= 0 && along(seconds) <= SIDE - EDGE);
  return svg("svg", { class: "plot", width: SIDE + 12, height: SIDE, viewBox: `0 0 ${SIDE + 12} ${SIDE}`, role: "img",
    "aria-label": "Each build's expected time beside the time that it took; the nearer to the diagonal the better" },
  inside.map(([seconds, word]) => [
    svg("path", { class: "grid", d: `M${x(seconds)} 0V${SIDE - EDGE}M${EDGE} ${y(seconds)}H${SIDE}` }),
    svg("text", { class: "small", x: x(seconds), y: SIDE - EDGE + 16, "text-anchor": "middle" }, word),
    svg("text", { class: "small", x: EDGE - 5, y: y(seconds) + 4, "text-anchor": "end" }, word)]),
  svg("path", { class: "even", d: `M${EDGE} ${SIDE - EDGE}L${SIDE} 0` }),
  judged.map((each) => svg("circle", { cx: x(each.expected_s), cy: y(each.took_s), r: 3 })),
  svg("text", { class: "small", x: (SIDE + EDGE) / 2, y: SIDE - 8, "text-anchor": "middle" }, "expected"),
  svg("text", { class: "small", x: 12, y: (SIDE - EDGE) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(SIDE - EDGE) / 2})` }, "took"));
}
