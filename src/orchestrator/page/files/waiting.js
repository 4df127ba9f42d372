// The graph of what waits: needs on the left, what needs them on the right, the longest path marked. The list below it
// says the same.

import { h, link, packagePlace, show, svg } from "./dom.js";
import { count, duration, place } from "./words.js";

const WIDE = 176;
const HIGH = 40;
const ACROSS = 48;
const DOWN = 12;
const CHARACTERS = 24;

export function openWaiting(context) {
  const around = context.rest.join("/");
  const refresh = async () => {
    const waiting = await context.fetch("waiting", { around });
    context.title(around ? ["What waits around ", link(packagePlace(around), around)] : "What waits");
    show(context.body, view(waiting));
  };
  return { refresh };
}

function view({ total, nodes }) {
  if (nodes.length === 0) return h("p", null, "Nothing waits.");
  const elsewhere = total - nodes.length;
  return [
    h("p", { class: "faint", "data-key": "about" }, elsewhere > 0
      ? `${nodes.length} of ${count(total, "package")} that are not there yet: those around the longest path first. A package's own page leads to what is around it.`
      : `All ${count(total, "package")} that are not there yet.`),
    h("div", { class: "scroll graph", tabindex: "0", role: "region", "aria-label": "Graph of what waits", "data-key": "graph" }, drawing(nodes)),
    h("details", { "data-key": "list" }, h("summary", null, "The same as a list"),
      h("ul", { class: "plain" }, nodes.map((node) => h("li", { "data-key": String(node.package) },
        link(packagePlace(node.label), node.label), " ", h("span", { class: `place ${node.place}` }, place(node.place)),
        node.critical && h("span", { class: "badge path" }, "longest path"), waitsFor(node, nodes))))),
  ];
}

function waitsFor(node, nodes) {
  const names = node.waits_here.map((need) => nodes.find((each) => each.package === need).label);
  if (node.waits_elsewhere > 0) names.push(`${node.waits_elsewhere} more`);
  return names.length > 0 && h("span", { class: "faint" }, ` waits for ${names.join(", ")}`);
}

/** Each package's place: its column is its level; in a column those beside what they wait for come first. */
function arranged(nodes) {
  const columns = [];
  for (const node of nodes) (columns[node.level] ??= []).push(node);
  const places = new Map();
  const high = (node) => {
    const above = node.waits_here.map((need) => places.get(need)?.row).filter((each) => each !== undefined);
    return above.length ? above.reduce((sum, each) => sum + each, 0) / above.length : Infinity;
  };
  columns.forEach((column, at) => {
    const sorted = column.map((node) => [node.critical ? -1 : high(node), node]).sort(([left, one], [right, other]) => left - right || one.package - other.package);
    sorted.forEach(([, node], row) => places.set(node.package, { row, x: at * (WIDE + ACROSS), y: row * (HIGH + DOWN) + 4 }));
  });
  const rows = Math.max(...columns.map((column) => column.length));
  return { places, width: columns.length * (WIDE + ACROSS) - ACROSS + 4, height: rows * (HIGH + DOWN) + 4 };
}

function drawing(nodes) {
  const { places, width, height } = arranged(nodes);
  const critical = new Set(nodes.filter((node) => node.critical).map((node) => node.package));
  const lines = nodes.flatMap((node) => node.waits_here.map((need) => {
    const [from, to] = [places.get(need), places.get(node.package)];
    const [x, y, right, below] = [from.x + WIDE, from.y + HIGH / 2, to.x, to.y + HIGH / 2];
    const middle = (x + right) / 2;
    const marked = critical.has(need) && critical.has(node.package);
    return svg("path", { class: marked ? "edge critical" : "edge", d: `M${x} ${y}C${middle} ${y} ${middle} ${below} ${right} ${below}` });
  }));
  // What is marked lies on top.
  lines.sort((left, right) => left.getAttribute("class").length - right.getAttribute("class").length);
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Packages and what they wait for" },
    lines, nodes.map((node) => box(node, places.get(node.package))));
}

function box(node, { x, y }) {
  const name = node.label.slice(node.label.indexOf("/") + 1);
  const short = name.length > CHARACTERS ? `${name.slice(0, CHARACTERS - 1)}…` : name;
  const words = `${place(node.place)}, ${duration(node.expected_s)}${node.waits_elsewhere ? `, +${node.waits_elsewhere}` : ""}`;
  return svg("a", { href: packagePlace(node.label), "aria-label": `${node.label}, ${words}`, class: `node ${node.place}${node.critical ? " critical" : ""}` },
    svg("title", null, node.label),
    svg("rect", { x: x + 1, y, width: WIDE, height: HIGH, rx: 5 }),
    svg("rect", { class: "tone", x: x + 1, y, width: 6, height: HIGH, rx: 3 }),
    svg("text", { x: x + 14, y: y + 17 }, short),
    svg("text", { class: "small", x: x + 14, y: y + 32 }, words));
}
