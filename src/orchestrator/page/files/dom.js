// Makes elements and keeps them up to date.
//
// Whatever comes from elsewhere (names, reasons, logs) becomes text, and never markup: elements are made by name, text is
// set as text, and a link leads to a place of this page only. Characters that act without being seen are shown as what
// they are.

const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = ["onclick", "onchange", "oninput", "onsubmit", "onkeydown", "onpointerdown", "onpointermove", "onpointerleave"];

/** A text in which nothing acts unseen. */
export function seen(text) {
  return String(text).replace(UNSEEN, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (HANDLERS.includes(name)) element[name] = value;
  else if (name === "style") for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
  else if (name === "href" && !String(value).startsWith("#")) throw new Error("a link leads out of the page");
  else if (name.startsWith("on")) throw new Error(`nothing handles ${name}`);
  else if (name === "value") element.value = value;
  else element.setAttribute(name, value === true ? "" : seen(value));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  for (const child of children.flat(4)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : seen(child));
  }
  return element;
}

/** An element of this name, with attributes and children; a child that is no element is text, one that is null none. */
export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same of a drawing. */
export function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** A link to a place of this page. */
export function link(place, ...children) {
  return h("a", { href: place }, ...children);
}

/** A text in which what is between backquotes is a command. */
export function commands(text) {
  return text.split("`").map((part, index) => (index % 2 ? h("code", null, part) : part));
}

/** The place of a package. */
export function packagePlace(label) {
  return `#package/${encodeURIComponent(label)}`;
}

/** Makes the children of an element these, and leaves in place what is the same: focus and selection stay. */
export function show(parent, ...children) {
  const next = document.createDocumentFragment();
  for (const child of children.flat(4)) if (child !== null && child !== undefined && child !== false) next.append(child);
  morphChildren(parent, next);
}

function morphChildren(parent, next) {
  const keyed = new Map();
  for (const child of parent.childNodes) if (child.dataset?.key) keyed.set(child.dataset.key, child);
  let at = parent.firstChild;
  for (const wanted of [...next.childNodes]) {
    const key = wanted.dataset?.key;
    let match = key ? keyed.get(key) : at;
    if (!key && match?.dataset?.key) match = null;
    if (match && match.nodeName === wanted.nodeName) {
      if (match === at) at = at.nextSibling;
      else parent.insertBefore(match, at);
      morph(match, wanted);
    } else {
      parent.insertBefore(wanted, at);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

function morph(node, wanted) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.data !== wanted.data) node.data = wanted.data;
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (name !== "style" && name !== "open" && !wanted.hasAttribute(name)) node.removeAttribute(name);
  }
  for (const { name, value } of [...wanted.attributes]) {
    if (name !== "style" && name !== "open" && node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  if (node.style && node.style.cssText !== wanted.style.cssText) node.style.cssText = wanted.style.cssText;
  for (const handler of HANDLERS) if (node[handler] !== wanted[handler]) node[handler] = wanted[handler];
  if ("value" in wanted && node !== document.activeElement && node.value !== wanted.value) node.value = wanted.value;
  morphChildren(node, wanted);
}

/** A table with a caption for whoever does not see it, and a header. Columns are [text, class]. */
export function table(caption, columns, rows, attributes) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", attributes,
      h("caption", { class: "unseen" }, caption),
      h("thead", null, h("tr", null, columns.map((column) =>
        column instanceof Node ? column : h("th", { scope: "col", class: column[1] }, column[0])))),
      h("tbody", null, rows)));
}

/** A row: cells are children of their own, or [child, class]; the first is the row's header. */
export function row(key, ...cells) {
  return h("tr", { "data-key": key }, cells.map((cell, index) => {
    const [child, kind] = Array.isArray(cell) ? cell : [cell];
    return index === 0 ? h("th", { scope: "row", class: kind }, child) : h("td", { class: kind }, child);
  }));
}

/** A part of a page under a heading. */
export function section(title, attributes, ...children) {
  return h("section", { "data-key": title, ...attributes }, h("h2", null, title), ...children);
}
