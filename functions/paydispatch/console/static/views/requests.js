// The newest requests, and a search.
import { ask, useEvery, useSettled } from "/static/ask.js";
import { Oops, Panel, Status } from "/static/parts.js";
import { age, count, plain, took } from "/static/text.js";
import { html, useState } from "/static/vendor/preact-htm.js";

const STEPS = ["accepted", "queued", "calling", "answered"];
const REACHED = { dispatched: 2, calling: 3, retrying: 3 };

// The path so far, as dots. The status beside it says the same in words.
const Steps = ({ status }) => html`<span class="steps" aria-hidden="true">${STEPS.map((step, place) => html`<i key=${step}
  class=${place < (REACHED[status] ?? STEPS.length) ? status : ""} title=${step}></i>`)}</span>`;

const facts = (one) => [
  one.stripe_id,
  one.account,
  one.attempts > 1 && count(one.attempts, "attempt"),
  one.accepted_at && one.at > one.accepted_at && took(one.at - one.accepted_at),
].filter(Boolean).map(plain).join(" · ");

const Row = ({ one, open }) => html`<li><button onClick=${() => open(one)}>
  <${Status} of=${one.status} /><span>${plain(one.operation)}</span>
  <span>${plain(one.worker_id)} · ${plain(one.context_id)}</span>
  <span class="muted"><${Steps} status=${one.status} /> ${age(one.at)}</span>
  <span class="why">${facts(one)}${one.why ? html` <em>${plain(one.why)}</em>` : ""}</span></button></li>`;

export function Requests({ open }) {
  const [text, setText] = useState("");
  const sought = useSettled(text, 60);
  const { data, error } = useEvery(2, () => ask(`/data/requests?q=${encodeURIComponent(sought)}`), [sought]);
  const found = data?.requests ?? [];
  return html`<${Panel} title="Requests">
    <input type="search" aria-label="Search requests" value=${text} onInput=${(event) => setText(event.target.value)}
      placeholder="request, context, worker, account, Stripe id, status" />
    <${Oops} error=${error} />
    ${data && !found.length && html`<p class="muted">${text ? "No recent request matches." : "There is no request yet."}</p>`}
    ${text && data && !found.length && html`<button class="quiet" onClick=${() => open({ request_id: text.trim() })}>Open the request ${plain(text.trim())}</button>`}
    <ul class="rows" aria-label="Requests">${found.map((one) => html`<${Row} key=${`${one.tenant ?? ""} ${one.request_id}`} one=${one} open=${open} />`)}</ul>
  </${Panel}>`;
}
