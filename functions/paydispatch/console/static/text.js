// Every text of the page passes `plain`, so that a control or direction character shows as its number.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

export const plain = (value) =>
  String(value ?? "").replace(UNSEEN, (character) =>
    character === "\n" ? " " : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const pretty = (value) => JSON.stringify(value, null, 2).split("\n").map(plain).join("\n");

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

export const age = (at) => {
  const seconds = Math.max(0, Date.now() / 1000 - at);
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(0)} h`;
};

export const took = (seconds) => {
  if (seconds < 1) return `${(seconds * 1000).toFixed(0)} ms`;
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
};

export const clock = (at) => new Date(at * 1000).toLocaleTimeString();
