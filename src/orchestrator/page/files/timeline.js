// The timeline: a lane a job at a time on each drone, a bar a job, drawn on a canvas since there may be ten thousands of
// them; the longest chain is marked. What is drawn is in a table, too.

import { h, link, packagePlace, row, show, table } from "./dom.js";
import { count, duration, moment } from "./words.js";

const LANE = 18;
const GAP = 12;
const NAMES = 16;
const AXIS = 26;
const FOOT = 8;
const ROWS = 100;
/** What is shown at once is never shorter than this (seconds). */
const SHORTEST = 10;

const ENDS = { running: "building", received: "received", failed: "failed", given_up: "given up", discarded: "discarded" };

/** A failed bar's end names its class. */
function endOf(bar) {
  return typeof bar.end === "string" ? bar.end : "failed";
}

function endWords(bar) {
  return typeof bar.end === "string" ? ENDS[bar.end] : `failed: ${bar.end.failed}`;
}

export function openTimeline(context) {
  const build = context.rest[0] ?? "";
  const chart = new Chart(context);
  const about = h("div");
  const list = h("div");
  let sequence = 0;
  let offset = 0;
  let busy = false;

  context.body.append(about, chart.element, list);

  const refresh = async () => {
    if (busy) return;
    busy = true;
    try {
      const told = await context.fetch("timeline", { build, after: sequence || "" });
      // A journal that is another one begins anew.
      if (told.sequence < sequence) chart.bars.clear();
      sequence = told.sequence;
      chart.take(told);
      draw(told);
    } finally {
      busy = false;
    }
  };
  const draw = (told) => {
    show(about, head(told, chart));
    chart.draw();
    drawList(told);
  };
  const drawList = (told) => show(list, bars(chart, told, offset, (next) => {
    offset = next;
    drawList(told);
  }));
  return { refresh, tick: () => chart.tick(), close: () => chart.close() };
}

function head(told, chart) {
  if (!told.build) return h("p", null, "Nothing has been built yet.");
  const others = told.builds.filter((name) => name !== told.build).reverse().slice(0, 10);
  const ahead = told.ahead.reduce((sum, each) => sum + each.expected_s, 0);
  return [
    h("p", { "data-key": "build" }, `Build ${told.build}, begun ${moment(told.started)}`, told.finished && `, over ${moment(told.finished)}`,
      `: ${count(chart.bars.size, "job")} on ${count(told.drones.length, "drone")}.`),
    new Date(told.since) > new Date(told.started) && h("p", { class: "notice warning", "data-key": "since" },
      `What happened before ${moment(told.since)} is not kept any more.`),
    told.ahead.length > 0 && h("p", { class: "faint", "data-key": "ahead" }, `Ahead on the longest path: ${count(told.ahead.length, "package")}, expected to take ${duration(ahead)} one after the other: `,
      told.ahead.slice(0, 8).map((each, index) => [index ? " → " : "", link(packagePlace(each.label), each.label)]),
      told.ahead.length > 8 && " → …"),
    others.length > 0 && h("p", { class: "faint", "data-key": "others" }, "Other builds: ",
      others.map((name, index) => [index ? ", " : "", link(`#timeline/${encodeURIComponent(name)}`, name)])),
  ];
}

function bars(chart, told, offset, turn) {
  const all = [...chart.bars.values()].sort((left, right) => right.begin - left.begin);
  const shown = all.slice(offset, offset + ROWS);
  return all.length > 0 && h("details", { "data-key": "list" },
    h("summary", null, `The same as a table, the latest first`),
    table("Jobs of the build", [["package"], ["on"], ["begun"], ["lasted", "number"], ["how it ended"]], shown.map((bar) => row(bar.job,
      [[link(packagePlace(bar.label), bar.label), chart.chain.has(bar.package) && h("span", { class: "badge path" }, "longest path")]],
      bar.drone, moment(bar.begin * 1000), [duration((bar.over ?? chart.now()) - bar.begin), "number"], endWords(bar)))),
    all.length > ROWS && h("nav", { class: "pages", "aria-label": "Pages of the table" },
      h("button", { type: "button", disabled: offset === 0, onclick: () => turn(offset - ROWS) }, "Later ones"),
      h("span", null, `${offset + 1} to ${offset + shown.length} of ${all.length}`),
      h("button", { type: "button", disabled: offset + ROWS >= all.length, onclick: () => turn(offset + ROWS) }, "Earlier ones")));
}

/** What is drawn, and the part of it that is seen. */
class Chart {
  constructor(context) {
    this.context = context;
    this.bars = new Map();
    this.drones = [];
    this.chain = new Set();
    this.ahead = [];
    /** The seconds that are seen; none means all. */
    this.seen = null;
    this.picked = null;
    this.canvas = h("canvas", { tabindex: "0", role: "img", "aria-label": "Timeline of jobs. Arrow keys move, plus and minus change the scale; the table below says the same.",
      onpointermove: (event) => this.point(event), onpointerleave: () => this.pick(null), onpointerdown: (event) => this.grab(event),
      onclick: (event) => this.follow(event), onkeydown: (event) => this.key(event) });
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.tip = h("p", { class: "tip faint", "aria-live": "off" });
    const tool = (text, words, act) => h("button", { type: "button", "aria-label": words, onclick: act }, text);
    this.tools = h("p", { class: "tools" },
      tool("−", "Show more time", () => this.scale(1.6)), tool("+", "Show less time", () => this.scale(1 / 1.6)),
      tool("◂", "Earlier", () => this.move(-0.3)), tool("▸", "Later", () => this.move(0.3)),
      tool("All", "Show all", () => this.see(null)),
      h("span", { class: "legend faint" }, Object.keys(ENDS).filter((end) => end !== "discarded").map((end) => h("span", { class: end }, ENDS[end])), h("span", { class: "chain" }, "longest path")));
    this.element = h("section", { class: "timeline", hidden: true }, this.tools, this.canvas, this.tip);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.scheme.onchange = () => this.draw();
  }

  close() {
    this.observer.disconnect();
    this.scheme.onchange = null;
  }

  now() {
    return this.context.now() / 1000;
  }

  take(told) {
    for (const bar of told.bars) this.bars.set(bar.job, bar);
    this.drones = told.drones;
    this.chain = new Set([...told.was, ...told.ahead.map((each) => each.package)]);
    this.runs = [...this.bars.values()].some((bar) => bar.over === null);
    this.lanes = new Map();
    for (const bar of this.bars.values()) {
      const lane = `${bar.drone}/${bar.lane}`;
      if (!this.lanes.has(lane)) this.lanes.set(lane, []);
      this.lanes.get(lane).push(bar);
    }
    for (const lane of this.lanes.values()) lane.sort((left, right) => left.begin - right.begin);
    let top = AXIS;
    this.tops = new Map();
    for (const { drone, lanes } of this.drones) {
      this.tops.set(drone, top + NAMES);
      top += NAMES + lanes * LANE + GAP;
    }
    this.height = top + FOOT - GAP;
  }

  all() {
    let [begin, end] = [Infinity, -Infinity];
    for (const bar of this.bars.values()) {
      begin = Math.min(begin, bar.begin);
      end = Math.max(end, bar.over ?? this.now());
    }
    return end > begin ? [begin, end + (end - begin) * 0.01] : [begin, begin + SHORTEST];
  }

  range() {
    return this.seen ?? this.all();
  }

  see(range) {
    if (range) {
      const [first, last] = this.all();
      const span = Math.min(Math.max(range[1] - range[0], SHORTEST), last - first);
      const begin = Math.min(Math.max(range[0], first), last - span);
      this.seen = span >= last - first ? null : [begin, begin + span];
    } else {
      this.seen = null;
    }
    this.draw();
  }

  scale(factor, at) {
    const [begin, end] = this.range();
    const fixed = at ?? (begin + end) / 2;
    this.see([fixed - (fixed - begin) * factor, fixed + (end - fixed) * factor]);
  }

  move(share) {
    const [begin, end] = this.range();
    const by = (end - begin) * share;
    this.see([begin + by, end + by]);
  }

  key(event) {
    const act = { ArrowLeft: () => this.move(-0.2), ArrowRight: () => this.move(0.2), "+": () => this.scale(1 / 1.4), "-": () => this.scale(1.4), 0: () => this.see(null), Home: () => this.see(null) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    if (event.ctrlKey) this.scale(event.deltaY > 0 ? 1.2 : 1 / 1.2, this.time(event.offsetX));
    else this.move(Math.sign(event.deltaY || event.deltaX) * 0.1);
  }

  grab(event) {
    const from = { x: event.offsetX, range: this.range() };
    this.dragged = false;
    this.canvas.onpointermove = (moved) => {
      const by = ((from.x - moved.offsetX) / this.canvas.clientWidth) * (from.range[1] - from.range[0]);
      if (Math.abs(from.x - moved.offsetX) > 4) this.dragged = true;
      if (this.dragged && this.seen) this.see([from.range[0] + by, from.range[1] + by]);
    };
    const end = () => {
      this.canvas.onpointermove = (moved) => this.point(moved);
    };
    addEventListener("pointerup", end, { once: true });
    addEventListener("pointercancel", end, { once: true });
  }

  time(x) {
    const [begin, end] = this.range();
    return begin + (x / this.canvas.clientWidth) * (end - begin);
  }

  at(x, y) {
    const time = this.time(x);
    for (const { drone, lanes } of this.drones) {
      const lane = Math.floor((y - this.tops.get(drone)) / LANE);
      if (lane < 0 || lane >= lanes) continue;
      // A bar of a pixel can be met, too.
      const slack = (this.range()[1] - this.range()[0]) / this.canvas.clientWidth;
      return (this.lanes.get(`${drone}/${lane}`) ?? []).find((bar) => bar.begin - slack <= time && time <= (bar.over ?? this.now()) + slack) ?? null;
    }
    return null;
  }

  point(event) {
    this.pick(this.at(event.offsetX, event.offsetY));
  }

  pick(bar) {
    if (bar === this.picked) return;
    this.picked = bar;
    this.canvas.style.cursor = bar ? "pointer" : "";
    show(this.tip, bar && `${bar.label} on ${bar.drone}: ${moment(bar.begin * 1000)}, ${duration((bar.over ?? this.now()) - bar.begin)}, ${endWords(bar)}`);
    this.draw();
  }

  follow(event) {
    const bar = !this.dragged && this.at(event.offsetX, event.offsetY);
    if (bar) location.hash = packagePlace(bar.label);
  }

  tick() {
    if (this.runs && !this.seen) this.draw();
  }

  draw() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.paint();
    });
  }

  paint() {
    const { canvas } = this;
    const there = this.bars.size > 0;
    this.element.hidden = !there;
    if (!there || !canvas.isConnected) return;
    const [width, height, dense] = [canvas.clientWidth, this.height, devicePixelRatio || 1];
    canvas.style.height = `${height}px`;
    if (canvas.width !== width * dense || canvas.height !== height * dense) [canvas.width, canvas.height] = [width * dense, height * dense];
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`);
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `12px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    const [begin, end] = this.range();
    const place = (time) => ((time - begin) / (end - begin)) * width;
    this.paintAxis(pen, begin, end, place, width, colour);
    for (const { drone, lanes } of this.drones) {
      const top = this.tops.get(drone);
      pen.fillStyle = colour("text");
      pen.fillText(drone, 2, top - NAMES / 2 - 1);
      pen.fillStyle = colour("ground");
      pen.fillRect(0, top, width, lanes * LANE);
      for (let lane = 0; lane < lanes; lane += 1) this.paintLane(pen, this.lanes.get(`${drone}/${lane}`) ?? [], top + lane * LANE, begin, end, place, colour);
    }
  }

  paintLane(pen, bars, top, begin, end, place, colour) {
    const colours = { running: colour("delegated"), received: colour("received"), failed: colour("failed"), given_up: colour("blocked"), discarded: colour("needed") };
    const [chain, text] = [colour("path"), colour("on-bar")];
    // What failed lies on top: it must not vanish among bars of less than a pixel.
    for (const bar of [...bars.filter((each) => endOf(each) !== "failed"), ...bars.filter((each) => endOf(each) === "failed")]) {
      const over = bar.over ?? this.now();
      if (over < begin || bar.begin > end) continue;
      const left = Math.max(place(bar.begin), -2);
      const right = Math.min(place(over), place(end) + 2);
      const kind = endOf(bar);
      const wide = Math.max(right - left - (right - left > 4 ? 1 : 0), kind === "failed" ? 2 : 1);
      pen.fillStyle = colours[kind];
      pen.fillRect(left, top + 1, wide, LANE - 2);
      if (kind === "failed" && wide > 3) {
        pen.fillStyle = text;
        pen.fillRect(left, top + 1, wide, 3);
      }
      if (this.chain.has(bar.package)) {
        pen.fillStyle = chain;
        pen.fillRect(left, top + LANE - 5, wide, 4);
      }
      if (bar === this.picked) {
        pen.strokeStyle = colour("text");
        pen.lineWidth = 2;
        pen.strokeRect(left, top + 1, wide, LANE - 2);
      }
      if (wide > 60) this.paintName(pen, bar.label, left, top - (this.chain.has(bar.package) ? 2 : 0), wide, text);
    }
  }

  paintName(pen, label, left, top, wide, text) {
    pen.save();
    pen.beginPath();
    pen.rect(left, top, wide - 3, LANE);
    pen.clip();
    pen.fillStyle = text;
    pen.fillText(label.slice(label.indexOf("/") + 1), Math.max(left, 0) + 4, top + LANE / 2 + 1.5);
    pen.restore();
  }

  paintAxis(pen, begin, end, place, width, colour) {
    const steps = [1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800];
    const step = steps.find((each) => ((end - begin) / each) * 90 < width) ?? steps.at(-1);
    const zone = new Date(begin * 1000).getTimezoneOffset() * 60;
    const words = new Intl.DateTimeFormat(undefined, step < 60 ? { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }
      : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const days = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
    for (let time = Math.ceil((begin - zone) / step) * step + zone; time < end; time += step) {
      const x = Math.round(place(time)) + 0.5;
      pen.fillStyle = colour("line");
      pen.fillRect(x, AXIS - 6, 1, this.height - AXIS);
      pen.fillStyle = colour("faint");
      const date = new Date(time * 1000);
      const text = (date.getHours() === 0 && date.getMinutes() === 0 ? days : words).format(date);
      if (x + pen.measureText(text).width < width) pen.fillText(text, x + 3, 10);
    }
  }
}
