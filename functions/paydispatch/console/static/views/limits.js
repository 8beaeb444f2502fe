// Budgets, pauses and breakers, with buttons to pause and resume.
import { command, useEvery } from "/static/ask.js";
import { Answer, Hold, Oops, Panel, useAnswer } from "/static/parts.js";
import { age, clock, plain } from "/static/text.js";
import { html, useState } from "/static/vendor/preact-htm.js";

const LANES = ["interactive", "batch", "look"];

function Gauge({ name, value, most, unit }) {
  const share = most ? value / most : 0;
  return html`<div class="gauge"><span>${plain(name)}</span>
    <meter min="0" max=${most} value=${value} aria-label=${`${plain(name)}: ${value} of ${most} ${unit}`}></meter>
    <b class=${share < 0.5 ? "bad" : share < 1 ? "wait" : "ok"}>${value} of ${most} ${unit}</b></div>`;
}

const InFlight = ({ limit }) => limit.cap_in_flight === null ? null : html`<div class="gauge"><span>calls in flight</span>
  <meter min="0" max=${limit.cap_in_flight} high=${limit.cap_in_flight * 0.8} value=${limit.in_flight}
    aria-label=${`calls in flight: ${limit.in_flight} of ${limit.cap_in_flight}`}></meter>
  <b class="wait">${limit.in_flight} of ${limit.cap_in_flight}</b></div>`;

// The budget as it stands: full as long as Stripe answers no 429.
function Limit({ limit }) {
  const name = limit.operation ?? "all operations";
  const later = [limit.reserved && `${limit.reserved} reserved`,
    limit.deferred_until && `the last deferred call comes back at ${clock(limit.deferred_until)}`].filter(Boolean);
  return html`${limit.configured === null
    ? html`<div class="gauge"><span>${plain(name)}</span><span class="muted">no limit</span></div>`
    : html`<${Gauge} name=${name} value=${limit.rate ?? limit.configured} most=${limit.configured} unit="calls/s" />`}
    <${InFlight} limit=${limit} />${later.length > 0 && html`<p class="muted">${later.join(", ")}</p>`}`;
}

const Account = ({ account }) => html`<${Panel} title=${plain(account.account)}>
  <p>breaker: ${account.breaker_open
    ? html`<b class="bad">open</b> after ${account.failures_in_a_row} failures, next probe at ${clock(account.next_probe_at)}`
    : html`<b class="ok">closed</b>`}</p>
  ${account.limits.map((limit) => html`<${Limit} key=${limit.operation ?? ""} limit=${limit} />`)}</${Panel}>`;

const Key = ({ breaker }) => html`<p class="bad">Breaker of the key ${plain(breaker.key_sha256.slice(0, 12))} open for
  ${" "}${age(breaker.since_s)}: ${plain(breaker.operation ?? "all operations")}, refused ${breaker.refusals} times.</p>`;

function Pauses({ accounts, run }) {
  const [lane, setLane] = useState("");
  const [account, setAccount] = useState("");
  const chosen = { ...(account ? { account } : {}), ...(lane ? { lane } : {}) };
  const asked = Object.keys(chosen).length ? chosen : { all: true };
  const pick = (set) => (event) => set(event.target.value);
  return html`<div class="act">
    <label>Lane<select value=${lane} onChange=${pick(setLane)}><option value="">all lanes</option>
      ${LANES.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
    <label>Account<select value=${account} onChange=${pick(setAccount)}><option value="">all accounts</option>
      ${accounts.map((one) => html`<option key=${one.account} value=${one.account}>${one.account}</option>`)}</select></label>
    <button onClick=${() => run(() => command("pause", asked))}>Pause</button>
    <button class="secondary" onClick=${() => run(() => command("resume", asked))}>Resume</button></div>`;
}

export function Limits() {
  const { said, run } = useAnswer();
  const { data, error } = useEvery(3, () => command("limits show"), [said?.document]);
  const holds = data?.holds ?? [];
  return html`<${Panel} title="Pause and resume"><${Pauses} accounts=${data?.accounts ?? []} run=${run} /><${Answer} said=${said} /></${Panel}>
    <${Oops} error=${error} />
    <${Panel} title="What holds calls back">
      ${holds.map((hold) => html`<${Hold} key=${hold.kind + hold.subject + hold.detail} hold=${hold} />`)}
      ${(data?.key_breakers ?? []).map((one) => html`<${Key} key=${one.key_sha256 + one.operation} breaker=${one} />`)}
      ${data && !holds.length && html`<p class="muted">No pause, no open breaker.</p>`}</${Panel}>
    <div class="columns">${(data?.accounts ?? []).map((one) => html`<${Account} key=${one.account} account=${one} />`)}</div>
    ${data && !data.accounts.length && html`<p class="muted">No account has been called yet.</p>`}`;
}
