// The page: a view for each tab, or the story of one request. The address keeps the choice, so that Back works.
import { ask, setPace } from "/static/ask.js";
import { Oops } from "/static/parts.js";
import { html, render, useEffect, useState } from "/static/vendor/preact-htm.js";
import { Limits } from "/static/views/limits.js";
import { Now } from "/static/views/now.js";
import { Repair } from "/static/views/repair.js";
import { Requests } from "/static/views/requests.js";
import { Story } from "/static/views/story.js";
import { Try } from "/static/views/try.js";

const VIEWS = { now: Now, requests: Requests, limits: Limits, repair: Repair };
const NAMES = { now: "Now", requests: "Requests", limits: "Limits", repair: "Repair", try: "Try" };

// #requests, or #request/ID and #request/ID/TENANT.
const read = () => location.hash.slice(1).split("/").map(decodeURIComponent);
const go = (...words) => { location.hash = words.filter(Boolean).map(encodeURIComponent).join("/"); };
const open = (one) => go("request", one.request_id, one.tenant);

function useAddress() {
  const [words, setWords] = useState(read());
  useEffect(() => {
    const changed = () => setWords(read());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return words;
}

const Tab = ({ name, chosen }) => html`<button aria-current=${name === chosen ? "page" : null} onClick=${() => go(name)}>${NAMES[name]}</button>`;

function App() {
  const [features, setFeatures] = useState();
  const [error, setError] = useState();
  const [first, id, tenant] = useAddress();
  useEffect(() => {
    ask("/data/features").then((said) => { setPace(said.pace); setFeatures(said); }, (why) => setError(why.message));
  }, []);
  const views = features?.trials ? { ...VIEWS, try: Try } : VIEWS;
  const chosen = first === "request" ? null : first in views ? first : "now";
  const view = chosen ? html`<${views[chosen]} open=${open} />`
    : html`<${Story} one=${{ request_id: id, tenant }} open=${open} close=${() => go("requests")} />`;
  return html`<header class="top"><h1><span aria-hidden="true"></span>paydispatch</h1><nav aria-label="Views">
    ${Object.keys(views).map((name) => html`<${Tab} key=${name} name=${name} chosen=${chosen} />`)}</nav></header>
    <main><${Oops} error=${error} />${features && view}</main>`;
}

render(html`<${App} />`, document.getElementById("app"));
