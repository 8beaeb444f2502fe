// Ask the console's program. A hidden page asks nothing.
import { useEffect, useState } from "/static/vendor/preact-htm.js";

// A reading that takes long costs the store much, so that the page then waits this many times longer.
const REST = 10;

let pace = 1;
export const setPace = (times) => { pace = times; };

export const ask = async (path, body) => {
  const answer = await fetch(path, body && {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.error ?? `The console answered ${answer.status}.`);
  return document;
};

export const command = (name, given = {}) => ask("/data/commands", { command: name, arguments: given });

// Reads again every `seconds`. An error keeps the data that were read before it.
export function useEvery(seconds, read, keys = []) {
  const [state, setState] = useState({});
  useEffect(() => {
    let alive = true;
    let timer;
    const tell = (change) => { if (alive) setState(change); };
    const turn = async () => {
      const began = performance.now();
      if (!document.hidden) {
        await read().then(
          (data) => tell({ data }),
          (error) => tell((before) => ({ ...before, error: error.message })),
        );
      }
      const rest = Math.max(seconds * pace * 1000, REST * (performance.now() - began));
      if (alive) timer = setTimeout(turn, rest);
    };
    turn();
    return () => { alive = false; clearTimeout(timer); };
  }, keys);
  return state;
}

// Returns the value that has not changed for `milliseconds`.
export function useSettled(value, milliseconds) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
