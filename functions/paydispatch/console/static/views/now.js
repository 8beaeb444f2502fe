// What waits and why, with the queues, the rates and the latencies.
import { ask, command, useEvery } from "/static/ask.js";
import { Finding, Hold, Oops, Panel, Tile } from "/static/parts.js";
import { Plot } from "/static/plot.js";
import { took } from "/static/text.js";
import { html } from "/static/vendor/preact-htm.js";

const MOST_DEPTHS = 720;
const SHOWN = 50;
const OUTCOMES = [
  { name: "succeeded", ink: "--ok" },
  { name: "failed", ink: "--bad" },
  { name: "unknown", ink: "--doubt" },
];
const LATENCIES = [
  { name: "p50", dots: true, ink: "--go" },
  { name: "p95", dots: true, ink: "--wait" },
  { name: "p99", dots: true, ink: "--bad" },
];
const QUEUE_INKS = ["--go", "--ok", "--doubt", "--bad", "--wait"];

const perSecond = (value) => `${value < 10 ? Number(value.toFixed(1)) : value.toFixed(0)}/s`;
const whole = (value) => Number(value.toFixed(1)).toString();

// The depths since the page was opened, as uPlot takes them.
let depths = [[]];

function note(queues) {
  const before = depths.length === queues.length + 1 ? depths : [[], ...queues.map(() => [])];
  const now = [Date.now() / 1000, ...queues.map((queue) => queue.waiting + queue.delayed)];
  depths = before.map((values, place) => [...values, now[place]].slice(-MOST_DEPTHS));
}

const examine = async () => {
  const found = await command("doctor", { older_than_s: 0 });
  note(found.queues);
  return found;
};

function Plots({ queues }) {
  const { data, error } = useEvery(4, () => ask("/data/figures"));
  const named = queues.map(({ name }, place) => ({ name, ink: QUEUE_INKS[place % QUEUE_INKS.length] }));
  return html`<${Oops} error=${error} /><div class="plots">
    ${data && html`<${Plot} title="Outcomes" series=${OUTCOMES} show=${perSecond} least=${1}
      points=${[data.at, ...OUTCOMES.map(({ name }) => data.per_s[name])]} />
    <${Plot} title="From acceptance to outcome" series=${LATENCIES} show=${took} least=${0.1}
      points=${[data.at, ...LATENCIES.map(({ name }) => data.latency_s[name])]} />`}
    ${named.length > 0 && html`<${Plot} title="Messages on the queues" series=${named} show=${whole} least=${1} points=${depths} />`}
  </div>`;
}

const Queue = ({ queue }) => html`<${Tile} name=${queue.name} value=${queue.waiting}
  kind=${queue.name === "dead letters" && queue.waiting ? "bad" : ""}
  note=${`${queue.in_flight} in flight, ${queue.delayed} delayed`} />`;

export function Now({ open }) {
  const { data, error } = useEvery(6, examine);
  const findings = data?.findings ?? [];
  const state = !data ? "…" : data.healthy ? "healthy" : "look below";
  return html`<${Oops} error=${error} />
    <div class="tiles"><${Tile} name="state" value=${state} kind=${data?.healthy ? "ok" : "wait"}
        note=${data?.evicts ? "Redis may evict guards" : "as doctor says"} />
      <${Tile} name="waiting" value=${data ? findings.length : "…"} note="not finished" />
      ${(data?.queues ?? []).map((queue) => html`<${Queue} key=${queue.name} queue=${queue} />`)}</div>
    <${Plots} queues=${data?.queues ?? []} />
    <${Panel} title="What waits, and why">
      ${(data?.holds ?? []).map((hold) => html`<${Hold} key=${hold.kind + hold.subject + hold.detail} hold=${hold} />`)}
      <ul class="rows">${findings.slice(0, SHOWN).map((one) => html`<${Finding} key=${one.worker_id + one.request_id} finding=${one} open=${open} />`)}</ul>
      ${data && !findings.length && html`<p class="muted">No request waits.</p>`}
      ${findings.length > SHOWN && html`<p class="muted">And ${findings.length - SHOWN} more.</p>`}</${Panel}>`;
}
