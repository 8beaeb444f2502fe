// Try an operation against the twin: a form from its schema, the API's answer while typing, and the twin's faults.
import { ask, useEvery, useSettled } from "/static/ask.js";
import { Answer, Oops, Panel, useAnswer } from "/static/parts.js";
import { Members } from "/static/form.js";
import { count, plain, pretty } from "/static/text.js";
import { html, useEffect, useState } from "/static/vendor/preact-htm.js";

const EXAMPLES = {
  "a product": ["create_product", { name: "Book" }],
  "a payment": ["create_payment_intent", { amount: 2000, currency: "usd", payment_method: "pm_card_visa", confirm: true,
    automatic_payment_methods: { enabled: true, allow_redirects: "never" } }],
  "a declined card": ["create_payment_intent", { amount: 2000, currency: "usd", payment_method: "pm_card_chargeDeclined",
    confirm: true, automatic_payment_methods: { enabled: true, allow_redirects: "never" } }],
  "a customer": ["create_customer", { name: "Ada", email: "ada@example.com" }],
};
const FAULTS = {
  "500 before it acts": { action: { kind: "status", when: "before", status: 500 } },
  "500 for good": { action: { kind: "status", when: "before", status: 500, should_retry: false } },
  "500 after it acted": { action: { kind: "status", when: "after", status: 500 } },
  "Lost answers": { action: { kind: "lost_answer" }, times: 2 },
  "Slow answers": { action: { kind: "latency", latency_ms: 3000 }, times: 5 },
  "Two 429s": { action: { kind: "status", when: "before", status: 429 }, times: 2 },
};
const CLOCK = { "Clock + 1 h": 3_600, "Clock + 24 h": 86_400 };
const SETTLE_MS = 250;

const read = (text) => { try { return { params: JSON.parse(text) }; } catch (error) { return { wrong: error.message }; } };
const idsOf = (operation) => [...operation.path.matchAll(/{(\w+)}/g)].map(([, name]) => name);
const requestOf = (operation, ids, body) => ({
  method: operation.method,
  path: operation.path.replace(/{(\w+)}/g, (_, name) => encodeURIComponent(ids[name] ?? "")),
  body,
});
const errorsOf = (answer) => (answer?.errors ?? []).reduce(
  (found, one) => ({ ...found, [one.param]: [...(found[one.param] ?? []), one.message] }), {});

// The API's answer to the request as it stands, once it has not changed for a moment.
function useRehearsal(request) {
  const [answer, setAnswer] = useState();
  const settled = useSettled(request && JSON.stringify(request), SETTLE_MS);
  useEffect(() => {
    let current = true;
    if (settled) ask("/data/rehearsals", JSON.parse(settled)).then((said) => current && setAnswer(said), () => current && setAnswer());
    return () => { current = false; };
  }, [settled]);
  return answer;
}

function useOperation(name) {
  const [schema, setSchema] = useState();
  useEffect(() => {
    let current = true;
    setSchema();
    if (name) ask(`/data/operations/${name}`).then((said) => current && setSchema(said.schema), () => {});
    return () => { current = false; };
  }, [name]);
  return schema;
}

const Rehearsed = ({ answer }) => !answer ? null : html`<div class="rehearsed" role="status" aria-label="What the API would answer">
  <p>The API would answer <b class=${answer.http_status < 300 ? "ok" : "bad"}>${answer.http_status}</b>
  ${answer.answer.error ? html`: ${plain(answer.answer.error.message)}` : "."}</p>
  <pre tabindex="0" aria-label="The answer that the API would give">${pretty(answer.answer)}</pre></div>`;

const Input = ({ label, value, set, ...more }) => html`<label>${label}<input value=${value} onInput=${(event) => set(event.target.value)} ...${more} /></label>`;

function Operations({ operations, name, choose }) {
  return html`<${Input} label="Operation" value=${name} set=${choose} list="operations" />
    <datalist id="operations">${operations.map((one) => html`<option key=${one.name} value=${one.name}>${one.method} ${one.path}</option>`)}</datalist>
    <div class="act" aria-label="Examples">Try ${Object.entries(EXAMPLES).map(([title, [operation, params]]) => html`<button key=${title} type="button"
      class="quiet" onClick=${() => choose(operation, params)}>${title}</button>`)}</div>`;
}

function Submission({ operation, schema, text, setText, open }) {
  const [ids, setIds] = useState({});
  const [worker, setWorker] = useState("console");
  const [context, setContext] = useState("console-1");
  const { said, run } = useAnswer();
  const { params, wrong } = read(text);
  const request = wrong ? null : requestOf(operation, ids, { worker_id: worker, context_id: context, params });
  const rehearsed = useRehearsal(request);
  const write = (changed) => setText(JSON.stringify(changed ?? {}, null, 2));
  const sent = said?.document?.answer;
  return html`<p class="muted">${operation.method} ${plain(operation.path)}</p><div class="two"><div>
    <div class="act">${idsOf(operation).map((name) => html`<${Input} key=${name} label=${name} value=${ids[name] ?? ""}
      set=${(id) => setIds({ ...ids, [name]: id })} />`)}
    <${Input} label="Worker" value=${worker} set=${setWorker} /><${Input} label="Context" value=${context} set=${setContext} /></div>
    <form aria-label="Parameters of the operation" onSubmit=${(event) => event.preventDefault()}>
      ${schema && html`<${Members} schema=${schema} defs=${schema.$defs ?? {}} value=${params} change=${write} errors=${errorsOf(rehearsed?.answer)} />`}</form>
    <label>Parameters (JSON)<textarea aria-invalid=${wrong ? "true" : null} value=${text} onInput=${(event) => setText(event.target.value)}></textarea></label>
    ${wrong && html`<p class="bad">${plain(wrong)}</p>`}
    <div class="act"><button disabled=${!request} onClick=${() => run(() => ask("/data/submissions", request))}>Submit</button>
      ${sent?.request_id && html`<button class="secondary" onClick=${() => open(sent)}>Follow it</button>`}</div>
    </div><div><${Rehearsed} answer=${rehearsed} /><${Answer} said=${said} /></div></div>`;
}

function Twin() {
  const { said, run } = useAnswer();
  const { data, error } = useEvery(3, () => ask("/data/twin", { method: "GET", name: "faults" }), [said]);
  const control = (method, name, body) => () => run(() => ask("/data/twin", { method, name, body }));
  const rules = data?.answer?.faults ?? [];
  return html`<${Panel} title="Break the twin"><${Oops} error=${error} /><div class="act">
    ${Object.entries(FAULTS).map(([name, rule]) => html`<button class="secondary" key=${name} onClick=${control("POST", "faults", rule)}>${name}</button>`)}
    <button onClick=${control("DELETE", "faults")}>Heal</button>
    ${Object.entries(CLOCK).map(([name, seconds]) => html`<button class="secondary" key=${name} onClick=${control("POST", "clock", { advance_s: seconds })}>${name}</button>`)}</div>
    <p class="muted">${rules.length ? `${count(rules.length, "fault")} set.` : "No fault is set."}</p><${Answer} said=${said} /></${Panel}>`;
}

export function Try({ open }) {
  const [operations, setOperations] = useState([]);
  const [name, setName] = useState("create_product");
  const [text, setText] = useState('{\n  "name": "Book"\n}');
  useEffect(() => { ask("/data/operations").then((said) => setOperations(said.operations), () => {}); }, []);
  const operation = operations.find((one) => one.name === name);
  const schema = useOperation(operation?.name);
  const choose = (chosen, params) => { setName(chosen); if (params) setText(JSON.stringify(params, null, 2)); };
  return html`<${Panel} title="Try an operation against the twin"><${Operations} operations=${operations} name=${name} choose=${choose} />
    ${operation ? html`<${Submission} key=${operation.name} operation=${operation} schema=${schema} text=${text} setText=${setText} open=${open} />`
      : html`<p class="muted">No operation has this name.</p>`}</${Panel}><${Twin} />`;
}
