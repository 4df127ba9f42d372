// How the page says lengths, moments and places.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });

/** A length of time of so many seconds. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.round(hours / 24)} days`;
}

/** A moment (RFC 3339, or milliseconds) in local time, with its day where that is another one than today. */
export function moment(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "at an unknown moment";
  const today = date.toDateString() === new Date().toDateString();
  return today ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

/** How long ago a moment is. */
export function ago(at, now) {
  return `${duration((now - new Date(at).getTime()) / 1000)} ago`;
}

/** A size. */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let number = bytes;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${unit > 0 && number < 10 ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

/** A number with what it counts. */
export function count(number, one, several) {
  return `${number.toLocaleString()} ${number === 1 ? one : (several ?? `${one}s`)}`;
}

/** Where packages can be, in the order in which an operator looks; each with the word for it. */
export const PLACES = [
  ["received", "received"],
  ["delegated", "building"],
  ["needed", "waiting"],
  ["blocked", "blocked"],
  ["failed", "failed"],
];

/** The word for a place. */
export function place(name) {
  return PLACES.find(([each]) => each === name)?.[1] ?? name;
}

/** How far a job is, from 0 to 1: what lasts longer than expected comes closer to its end and never reaches it. */
export function share(lasted, expected) {
  const line = lasted / Math.max(1, expected);
  return line < 0.9 ? line : 1 - 0.1 * Math.exp(-(line - 0.9) / 0.1);
}
