// A log: its end, earlier pieces where they are asked for, and what comes while the job runs.

import { h, link, packagePlace, show } from "./dom.js";
import { moment, size } from "./words.js";

/** So much text (characters) is kept in the page; of more the beginning goes. */
const KEPT = 2_000_000;

export function openLog(context) {
  const wanted = context.rest.join("/");
  const job = context.query.get("job") ?? "";
  const text = h("pre", { class: "log", tabindex: "0", role: "region", "aria-label": "The log" });
  const about = h("div");
  context.body.append(about, text);
  let pieces = [];
  let next = null;
  let fetching = false;

  const fetchPiece = (offset) => context.fetch("log", { package: wanted, job, offset });
  const put = (piece, first) => {
    // An end of a log that is at its end is asked for again without anything new.
    if (piece.text.length === 0) return;
    if (first) {
      text.prepend(piece.text);
      pieces.unshift(piece);
    } else {
      text.append(piece.text);
      pieces.push(piece);
    }
    while (pieces.reduce((sum, each) => sum + each.text.length, 0) > KEPT && pieces.length > 1) {
      (first ? pieces.pop() : pieces.shift(), first ? text.lastChild : text.firstChild).remove();
      if (first) next = pieces.at(-1).next;
    }
  };
  const earlier = async () => {
    const first = pieces[0];
    const offset = Math.max(0, first.offset - 65536);
    const piece = await context.fetch("log", { package: wanted, job, offset, limit: first.offset - offset });
    const height = text.scrollHeight;
    put(piece, true);
    text.scrollTop += text.scrollHeight - height;
    draw(piece);
  };
  const draw = (piece) => {
    const first = pieces[0];
    context.title(["Log of ", link(packagePlace(piece.label), piece.label)]);
    show(about,
      h("p", { class: "faint" }, `${piece.job}, ${size(piece.length)}, `,
        piece.running ? "grows while the job runs" : `written until ${moment(piece.modified)}`),
      h("p", { class: "tools" },
        first && first.offset > 0 && h("button", { type: "button", onclick: earlier }, `Show what is before (${size(first.offset)})`)),
      piece.length === 0 && h("p", { class: "faint" }, "Nothing is in it yet."));
  };
  const refresh = async () => {
    if (fetching) return;
    fetching = true;
    try {
      const follows = text.scrollTop + text.clientHeight >= text.scrollHeight - 8;
      let piece;
      do {
        piece = await fetchPiece(next);
        const stands = piece.next === next;
        next = piece.next;
        put(piece, false);
        draw(piece);
        if (stands) break;
      } while (next < piece.length);
      if (follows) text.scrollTop = text.scrollHeight;
      running = piece.running;
    } finally {
      fetching = false;
    }
  };
  let running = false;
  // The journal says nothing while a log grows.
  const tick = () => {
    if (running) refresh().catch(() => {});
  };
  return { refresh, tick };
}
