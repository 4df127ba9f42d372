// What the orchestrator says: views as JSON, and the word that something has happened.

/** While nothing is heard of events the views are asked for after so long (milliseconds). */
const POLL = 10_000;
/** And after so long where all is well: what only goes with the clock, such as how long the rest lasts, is no event. */
const ANEW = 30_000;
/** The first pause before listening again; it doubles up to the longest. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

/** What could not be had, in a sentence. */
export class Trouble extends Error {}

/** Fetches a view. Keys whose value is empty are left out of the query. */
export async function fetchView(path, query, signal) {
  const wanted = Object.entries(query ?? {}).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = wanted.length ? `?${new URLSearchParams(wanted)}` : "";
  let answer;
  try {
    answer = await fetch(`page/${path}${search}`, { signal, cache: "no-cache", headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("the orchestrator does not answer");
  }
  if (!answer.ok) throw new Trouble((await answer.text()).trim() || `it answers with status ${answer.status}`);
  return answer.json();
}

/**
 * Listens for as long as the page is seen: `changed` is called when something has happened, and by the clock while
 * nobody tells; `stands` when the connection comes or goes, with the moment since when it is gone, or null.
 */
export function listen(changed, stands) {
  let source = null;
  let pause = FIRST_PAUSE;
  let again = 0;
  let gone = null;

  const open = () => {
    clearTimeout(again);
    source?.close();
    source = new EventSource("page/events");
    source.onopen = () => {
      pause = FIRST_PAUSE;
      gone = null;
      stands(null);
    };
    source.onmessage = () => changed();
    source.onerror = () => {
      source.close();
      gone ??= Date.now();
      stands(gone);
      again = setTimeout(open, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
  };

  // A browser has few connections for one server, and each listener holds one: a page that nobody sees gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(again);
      source?.close();
    } else {
      open();
    }
  });
  setInterval(() => {
    if (gone !== null && !document.hidden) changed();
  }, POLL);
  setInterval(() => {
    if (gone === null && !document.hidden) changed();
  }, ANEW);
  open();
}
