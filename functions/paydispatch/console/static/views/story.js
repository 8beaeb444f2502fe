// One request from its acceptance to the runs of its flow.
import { ask, useEvery } from "/static/ask.js";
import { Fields, Hold, Oops, Status } from "/static/parts.js";
import { clock, count, plain, took } from "/static/text.js";
import { html, useEffect, useRef } from "/static/vendor/preact-htm.js";

const SETTLED = ["succeeded", "failed"];

// The hops and the runs of flows as steps: {name, at, note, kind}. A step without a time has not ended.
function stepsOf(told) {
  const hops = (told.hops ?? []).map((hop) => ({
    name: hop.attempt ? `${hop.hop} (attempt ${hop.attempt})` : hop.hop,
    at: hop.at,
    note: hop.stripe_request_id,
    kind: hop.attempt > 1 ? "again" : hop.hop,
  }));
  const flows = (told.flows ?? []).map((flow) => ({
    name: `flow ${flow.flow ?? ""}`,
    at: flow.at,
    note: [flow.state.replace("_", " "), flow.runs && count(flow.runs, "run"), flow.reason].filter(Boolean).join(", "),
    kind: flow.state,
  }));
  return [...hops, ...flows];
}

// Each step has a bar from the step before it to its own time.
function Path({ steps }) {
  const first = steps[0]?.at ?? 0;
  const whole = Math.max(...steps.map((step) => (step.at ?? first) - first), 0.001);
  const share = (at) => `${(100 * Math.max(0, at - first)) / whole}%`;
  const before = (place) => steps[place - 1]?.at ?? first;
  return html`<ol class="path" aria-label="Path">${steps.map((step, place) => {
    const ended = step.at !== undefined;
    const from = ended ? Math.min(before(place), step.at) : before(place);
    return html`<li key=${place} class=${plain(step.kind)}><span>${plain(step.name)}</span>
      <span class="track" aria-hidden="true"><i style=${{ left: share(from), width: ended ? share(step.at - from + first) : "2px" }}></i></span>
      <span class="muted">${!ended ? "" : place ? `+${took(Math.max(0, step.at - before(place)))}` : clock(step.at)}</span>
      ${step.note && html`<small>${plain(step.note)}</small>`}</li>`;
  })}</ol>`;
}

function Waits({ told }) {
  const seconds = told.retry_at ? Math.max(0, told.retry_at - Date.now() / 1000) : null;
  const next = seconds === null ? "" : seconds ? ` The next attempt comes in ${took(seconds)}.` : " The next attempt is due.";
  const waits = told.waits_for ? `It waits for ${plain(told.waits_for)}.` : "It waits for its next attempt.";
  return html`${(told.waits_for || next) && !SETTLED.includes(told.status) && html`<p class="wait">${waits}${next}</p>`}
    ${(told.held_back_by ?? []).map((hold) => html`<${Hold} key=${hold.kind + hold.subject} hold=${hold} />`)}`;
}

const Doubt = ({ told }) => told.proven_by ? html`<p class="unknown">It may have had an effect. Proven by: ${plain(told.proven_by)}.
  ${told.looks?.next_look_at ? ` The next look at Stripe is at ${clock(told.looks.next_look_at)}.` : ""}</p>` : null;

const Failure = ({ error }) => html`<p class="bad">${plain(error.kind)} error${error.certainty ? ` (${plain(error.certainty)})` : ""}:
  ${" "}${plain(error.message)}</p>`;

const FollowUps = ({ of, open }) => of.length ? html`<h3>Follow-ups</h3><ul class="rows">${of.map((one) => html`<li key=${one.request_id}>
  <button onClick=${() => open(one)}><${Status} of=${one.status} /><span>${plain(one.request_id)}</span></button></li>`)}</ul>` : null;

const Told = ({ told, open }) => html`<p><${Status} of=${told.status} /> ${plain(told.operation)} · ${plain(told.worker_id)} ·
    ${" "}${plain(told.context_id)} · ${count(told.attempts, "attempt")}</p>
  <${Path} steps=${stepsOf(told)} /><${Waits} told=${told} /><${Doubt} told=${told} />
  ${told.parsed_error && html`<${Failure} error=${told.parsed_error} />`}
  <${FollowUps} of=${told.follow_ups ?? []} open=${open} />
  ${told.parsed_data && html`<${Fields} label="Stripe's answer" of=${told.parsed_data} />`}
  <${Fields} label="All fields" of=${told} />`;

export function Story({ one, open, close }) {
  const query = one.tenant ? `?tenant=${encodeURIComponent(one.tenant)}` : "";
  const address = `/data/requests/${encodeURIComponent(one.request_id)}${query}`;
  const { data, error } = useEvery(1, () => ask(address), [address]);
  const title = useRef();
  useEffect(() => title.current?.focus(), [address]);
  return html`<section class="panel"><button class="quiet" onClick=${close}>← All requests</button>
    <h2 tabindex="-1" ref=${title}>${plain(one.request_id)}</h2><${Oops} error=${error} />
    ${data && !data.request && html`<p>There is no such request.</p>`}
    ${data?.request && html`<${Told} told=${data.request} open=${open} />`}</section>`;
}
