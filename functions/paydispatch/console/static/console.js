import { html, render, useEffect, useRef, useState } from "/static/vendor/preact-htm.js";
import uPlot from "/static/vendor/uplot.js";

// Everything that is shown passes `plain`: a control or direction character stands as its number.
const plain = (value) => String(value ?? "").replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
  (c) => c === "\n" ? " " : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
const pretty = (value) => JSON.stringify(value, null, 2).split("\n").map(plain).join("\n");
const ask = async (path, body) => {
  const answer = await fetch(path, body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const document = await answer.json();
  if (document.error && !document.request) throw new Error(document.error);
  return document;
};
const command = (name, given = {}) => ask("/data/commands", { command: name, arguments: given });
const age = (at) => { const s = Math.max(0, Date.now() / 1000 - at); return s < 90 ? `${s.toFixed(0)} s` : s < 5400 ? `${(s / 60).toFixed(0)} min` : `${(s / 3600).toFixed(0)} h`; };
const took = (s) => s < 1 ? `${(s * 1000).toFixed(0)} ms` : `${s.toFixed(1)} s`;

function useEvery(seconds, read, keys = []) {
  const [state, set] = useState({});
  useEffect(() => {
    let alive = true, timer;
    const turn = async () => {
      if (!document.hidden) try { const data = await read(); if (alive) set({ data }); } catch (e) { if (alive) set((old) => ({ ...old, error: e.message })); }
      if (alive) timer = setTimeout(turn, seconds * 1000);
    };
    turn();
    return () => { alive = false; clearTimeout(timer); };
  }, keys);
  return state;
}

const Oops = ({ error }) => error ? html`<p role="alert" class="bad">${plain(error)}</p>` : null;
const Status = ({ of }) => html`<span class=${"status " + plain(of)}>${plain(of)}</span>`;

function Row({ one, open }) {
  return html`<li><button onClick=${() => open(one)}><${Status} of=${one.status} /><span>${plain(one.operation)}</span>
    <span>${plain(one.worker_id)} · ${plain(one.context_id)}</span><span class="muted">${age(one.at)}</span>
    ${one.why && html`<span class="why">${plain(one.why)}</span>`}</button></li>`;
}

function Requests({ features, open }) {
  const [text, setText] = useState("");
  const { data, error } = useEvery(2, () => ask("/data/requests?q=" + encodeURIComponent(text)), [text]);
  const found = data?.requests ?? [];
  return html`<section class="panel"><h2>Requests</h2>
    <input type="search" aria-label="Search requests" placeholder="request, context, worker, account, Stripe id, status" value=${text} onInput=${(e) => setText(e.target.value)} />
    <${Oops} error=${error} />
    ${features.requests === false && html`<p class="muted">A stack behind its operator function has no list. Enter a request id.</p>
      <button class="quiet" onClick=${() => open({ request_id: text })}>Open ${plain(text)}</button>`}
    ${data && !found.length && html`<p class="muted">No request ${text ? "matches" : "yet. Submit one under Try"}.</p>`}
    <ul class="rows">${found.map((one) => html`<${Row} key=${(one.tenant ?? "") + " " + one.request_id} one=${one} open=${open} />`)}</ul></section>`;
}

function Story({ one, close }) {
  const query = one.tenant ? "?tenant=" + encodeURIComponent(one.tenant) : "";
  const { data, error } = useEvery(2, () => ask("/data/requests/" + encodeURIComponent(one.request_id) + query), [one.request_id]);
  const title = useRef();
  useEffect(() => title.current?.focus(), [one.request_id]);
  const told = data?.request;
  const hops = told?.hops ?? [];
  return html`<section class="panel"><button class="quiet" onClick=${close}>← All requests</button>
    <h2 tabindex="-1" ref=${title}>${plain(one.request_id)}</h2><${Oops} error=${error} />
    ${data && !told && html`<p>There is no such request.</p>`}
    ${told && html`<p><${Status} of=${told.status} /> ${plain(told.operation)} · ${plain(told.worker_id)} · ${plain(told.context_id)} · ${told.attempts} attempts</p>
      <ol class="path" aria-label="Path">${hops.map((hop, n) => html`<li key=${n}>${plain(hop.hop)}${hop.attempt ? ` ${hop.attempt}` : ""}
        <small>${n ? "+" + took(hop.at - hops[n - 1].at) : new Date(hop.at * 1000).toLocaleTimeString()}</small>
        ${hop.stripe_request_id && html`<small>${plain(hop.stripe_request_id)}</small>`}</li>`)}
        ${(told.flows ?? []).map((flow) => html`<li key=${flow.entry_id}>flow ${plain(flow.flow)}
        <small class=${plain(flow.state)}>${plain(flow.state)}${flow.runs ? `, ${flow.runs} runs` : ""} ${plain(flow.reason)}</small></li>`)}</ol>
      ${told.waits_for && html`<p class="wait">It waits for ${plain(told.waits_for)}${told.retry_at ? `, next attempt in ${took(Math.max(0, told.retry_at - Date.now() / 1000))}` : ""}.</p>`}
      ${(told.held_back_by ?? []).map((hold) => html`<p class="wait">${plain(hold.kind)}: ${plain(hold.subject)}, ${plain(hold.detail)}. Next: ${plain(hold.next_step)}</p>`)}
      ${told.proven_by && html`<p class="unknown">Proven by: ${plain(told.proven_by)}</p>`}
      ${told.parsed_error && html`<p class="bad">${plain(told.parsed_error.kind)} error (${plain(told.parsed_error.certainty)}): ${plain(told.parsed_error.message)}</p>`}
      <details><summary>All fields</summary><pre tabindex="0" aria-label="All fields">${pretty(told)}</pre></details>`}</section>`;
}

function Plot({ title, points, unit }) {
  const box = useRef(), plot = useRef();
  useEffect(() => {
    const css = getComputedStyle(document.documentElement), ink = css.getPropertyValue("--pico-muted-color"), line = css.getPropertyValue("--go");
    const axis = { stroke: ink, grid: { stroke: "#8883", width: 1 } };
    plot.current = new uPlot({ width: box.current.clientWidth, height: 150, legend: { show: false }, axes: [axis, axis],
      series: [{}, { stroke: line, fill: "#4a90e222", width: 2, points: { show: false } }], scales: { y: { range: (_, __, high) => [0, Math.max(1, high * 1.1)] } } }, points, box.current);
    const watch = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height: 150 }));
    watch.observe(box.current);
    return () => { watch.disconnect(); plot.current.destroy(); };
  }, []);
  useEffect(() => plot.current?.setData(points));
  const last = points[1].at(-1);
  return html`<section class="panel"><h2>${title}</h2><div class="plot" ref=${box} role="img" aria-label=${`${title}, now ${last ?? 0} ${unit}`}></div></section>`;
}

const trend = [[], []];
function Now({ open }) {
  const health = useEvery(5, async () => {
    const data = await command("doctor", { older_than_s: 0 });
    trend[0].push(Date.now() / 1000); trend[1].push(data.findings.length);
    if (trend[0].length > 720) { trend[0].shift(); trend[1].shift(); }
    return data;
  });
  const doctor = health.data;
  const depths = doctor?.queues ?? doctor?.depths ?? [];
  const sum = Array.isArray(depths) ? depths : Object.entries(depths).map(([name, depth]) => ({ name, ...depth }));
  return html`<${Oops} error=${health.error} />
    <div class="tiles"><div class="tile"><span>state</span><b class=${doctor?.healthy ? "ok" : "wait"}>${!doctor ? "…" : doctor.healthy ? "healthy" : "waits"}</b></div>
      <div class="tile"><span>requests that wait</span><b>${doctor ? doctor.findings.length : "…"}</b></div>
      ${sum.map((q) => html`<div class="tile" key=${q.name}><span>queue ${plain(q.name)}</span><b>${plain(q.visible ?? q.waiting ?? q.messages ?? "?")}</b></div>`)}</div>
    <${Plot} title="Requests that wait" unit="requests" points=${trend} />
    <section class="panel"><h2>What waits, and why</h2><ul class="rows">${(doctor?.findings ?? []).slice(0, 50).map((f) => html`<li key=${f.request_id}>
      <button onClick=${() => open(f)}><span class="wait">${plain(f.request_id).slice(0, 12)}</span><span>${plain(f.operation)}</span><span>${plain(f.worker_id)}</span><span class="muted">${age(f.since)}</span>
      <span class="why">${plain(f.detail ?? f.reason)}. ${f.next_step && html`Next: ${plain(f.next_step)}`}</span></button></li>`)}</ul>
      ${doctor && !doctor.findings.length && html`<p class="muted">Nothing waits.</p>`}</section>`;
}

function Limits() {
  const [told, tell] = useState();
  const [lane, setLane] = useState("");
  const { data, error } = useEvery(3, () => command("limits show"), [told]);
  const run = (name, given) => command(name, given).then((d) => tell(pretty(d)), (e) => tell(e.message));
  const chosen = lane ? { lane } : { all: true };
  return html`<section class="panel"><h2>Pause and resume</h2><div class="act">
      <label>Lane<select value=${lane} onChange=${(e) => setLane(e.target.value)}><option value="">all lanes</option><option>interactive</option><option>batch</option></select></label>
      <button onClick=${() => run("pause", chosen)}>Pause</button><button class="secondary" onClick=${() => run("resume", chosen)}>Resume</button></div>
      ${told && html`<pre role="status" tabindex="0" aria-label="Answer">${told}</pre>`}</section>
    <${Oops} error=${error} /><section class="panel"><h2>What holds calls back</h2>${(data?.holds ?? []).map((hold, n) => html`<p class="wait" key=${n}>${plain(hold.kind)}: ${plain(hold.subject)}, ${plain(hold.detail)}. Next: ${plain(hold.next_step)}</p>`)}
      ${data && !data.holds.length && html`<p class="muted">No pause, no open breaker.</p>`}</section>
    <section class="panel"><h2>Accounts</h2>${(data?.accounts ?? []).map((a) => html`<details key=${a.name ?? a.account}><summary>${plain(a.name ?? a.account)} ${a.breaker_open ? html`<b class="bad">breaker open</b>` : ""}</summary><pre tabindex="0" aria-label="Limits">${pretty(a)}</pre></details>`)}</section>`;
}

function Repair() {
  const [told, tell] = useState();
  const [checked, check] = useState(false);
  const { data, error } = useEvery(10, () => command("dlq list"), [told]);
  const run = (name, given) => { tell("Working…"); return command(name, given).then((d) => tell(pretty(d)), (e) => tell(e.message)); };
  return html`<section class="panel"><h2>Dead letters</h2><${Oops} error=${error} />
    <p>${data ? `${data.messages.length} messages` : "…"}</p><div class="act">
    <button class="secondary" onClick=${() => run("dlq redrive", { dry_run: true }).then(() => check(true))}>Dry run</button>
    <button disabled=${!checked} onClick=${() => { check(false); run("dlq redrive"); }}>Redrive</button></div>
    ${(data?.messages ?? []).slice(0, 50).map((m, n) => html`<details key=${n}><summary>${plain(m.request_id ?? "unreadable")} · ${plain(m.action ?? m.verdict)}</summary><pre tabindex="0" aria-label="Message">${pretty(m)}</pre></details>`)}</section>
    <section class="panel"><h2>Unknown outcomes</h2><div class="act"><button onClick=${() => run("reconcile")}>Settle now</button></div></section>
    ${told && html`<pre role="status" tabindex="0" aria-label="Answer">${told}</pre>`}`;
}

const FAULTS = { "500 before": { action: { kind: "status", when: "before", status: 500 } }, "lost answer": { action: { kind: "lost_answer" }, times: 2 },
  "slow answers": { action: { kind: "latency", latency_ms: 3000 }, times: 5 }, "429": { action: { kind: "status", when: "before", status: 429 }, times: 2 } };

function Try({ open }) {
  const [path, setPath] = useState("/v1/products");
  const [text, setText] = useState('{\n  "name": "Book"\n}');
  const [told, tell] = useState();
  let params, wrong;
  try { params = JSON.parse(text); } catch (e) { wrong = e.message; }
  const submit = () => ask("/data/submit", { path, body: { worker_id: "console", context_id: "console-1", params } }).then((d) => tell(d.answer), (e) => tell({ error: e.message }));
  const twin = (method, name, body) => ask("/data/twin", { method, name, body }).then((d) => tell(d.answer), (e) => tell({ error: e.message }));
  return html`<section class="panel"><h2>Try a request against the twin</h2>
    <label>Path<input value=${path} onInput=${(e) => setPath(e.target.value)} /></label>
    <label>Parameters (JSON)<textarea aria-invalid=${wrong ? "true" : null} value=${text} onInput=${(e) => setText(e.target.value)}></textarea></label>
    ${wrong && html`<p class="bad">${plain(wrong)}</p>`}<div class="act"><button disabled=${!!wrong} onClick=${submit}>Submit</button>
    ${told?.request_id && html`<button class="secondary" onClick=${() => open(told)}>Follow it</button>`}</div>
    ${told && html`<pre role="status" tabindex="0" aria-label="Answer">${pretty(told)}</pre>`}</section>
    <section class="panel"><h2>Break the twin</h2><div class="act">${Object.entries(FAULTS).map(([name, rule]) => html`<button class="secondary" key=${name} onClick=${() => twin("POST", "faults", rule)}>${name}</button>`)}
    <button onClick=${() => twin("DELETE", "faults")}>Heal</button><button class="secondary" onClick=${() => twin("POST", "clock", { advance_s: 3600 })}>Clock + 1 h</button></div></section>`;
}

function App() {
  const [tab, setTab] = useState("Now");
  const [one, open] = useState();
  const [features, setFeatures] = useState({});
  useEffect(() => { ask("/data/features").then(setFeatures, () => {}); }, []);
  const tabs = { Now, Requests, Limits, Repair, ...(features.submit ? { Try } : {}) };
  const Chosen = tabs[tab];
  return html`<header class="top"><h1>paydispatch</h1><nav aria-label="Views">${Object.keys(tabs).map((name) => html`<button key=${name}
    aria-current=${name === tab && !one ? "page" : null} onClick=${() => { open(); setTab(name); }}>${name}</button>`)}</nav></header>
    <main>${one ? html`<${Story} one=${one} close=${() => open()} />` : html`<${Chosen} features=${features} open=${open} />`}</main>`;
}

render(html`<${App} />`, document.getElementById("app"));
