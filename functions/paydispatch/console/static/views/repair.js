// Dead letters, dead flows, and requests whose outcome is unknown.
import { command, useEvery } from "/static/ask.js";
import { Answer, Fields, Finding, Oops, Panel, useAnswer } from "/static/parts.js";
import { count, plain, took } from "/static/text.js";
import { html, useState } from "/static/vendor/preact-htm.js";

const SHOWN = 50;

const Message = ({ message }) => html`<${Fields} of=${message}
  label=${`${plain(message.id)} · ${plain(message.operation ?? "unreadable")} · ${plain(message.redrive)}`} />`;

// A redrive works on those messages that its dry run has shown, so another choice needs another dry run.
function Redrive({ run }) {
  const [worker, setWorker] = useState("");
  const [shown, setShown] = useState();
  const choice = worker ? { worker_id: worker } : {};
  const dry = async () => setShown((await run(() => command("dlq redrive", { ...choice, dry_run: true })))?.messages.length);
  const redrive = () => { setShown(); run(() => command("dlq redrive", choice)); };
  const type = (event) => { setWorker(event.target.value); setShown(); };
  return html`<div class="act"><label>Only of worker<input value=${worker} onInput=${type} placeholder="all workers" /></label>
    <button class="secondary" onClick=${dry}>Dry run</button>
    <button disabled=${!shown} onClick=${redrive}>${shown ? `Redrive ${count(shown, "message")}` : "Redrive"}</button></div>`;
}

function DeadLetters({ run, said }) {
  const { data, error } = useEvery(10, () => command("dlq list"), [said?.document]);
  const messages = data?.messages ?? [];
  return html`<${Panel} title="Dead letters"><${Oops} error=${error} />
    <p>${data ? count(messages.length, "message") : "…"}</p><${Redrive} run=${run} />
    ${messages.slice(0, SHOWN).map((one) => html`<${Message} key=${one.id} message=${one} />`)}</${Panel}>`;
}

const DeadFlow = ({ flow, rerun, open }) => html`<li class="line"><span class="bad">${plain(flow.script ?? "unreadable")}</span>
  <span>${plain(flow.worker_id)} · ${plain(flow.context_id)}</span><span class="muted">dead for ${took(flow.dead_s)}</span>
  <span class="why">${plain(flow.why)} <em>${plain(flow.rerun)}</em></span><span class="act">
    <button class="quiet" aria-label=${`Run ${plain(flow.script)} of ${plain(flow.request_id)} again`} onClick=${() => rerun({ id: flow.id, worker_id: flow.worker_id })}>Run again</button>
    ${flow.request_id && html`<button class="quiet" aria-label=${`Open ${plain(flow.request_id)}`} onClick=${() => open(flow)}>Open</button>`}</span></li>`;

// Running all again works on what its dry run has shown.
function DeadFlows({ run, said, open }) {
  const { data, error } = useEvery(10, () => command("flows dead list"), [said?.document]);
  const [shown, setShown] = useState();
  const flows = data?.flows ?? [];
  const rerun = (choice) => { setShown(); run(() => command("flows dead rerun", choice)); };
  const dry = async () => setShown((await run(() => command("flows dead rerun", { dry_run: true })))?.flows.length);
  return html`<${Panel} title="Dead flows"><${Oops} error=${error} /><p>${data ? count(flows.length, "flow") : "…"}</p>
    <ul class="rows">${flows.slice(0, SHOWN).map((one) => html`<${DeadFlow} key=${one.worker_id + one.id} flow=${one} rerun=${rerun} open=${open} />`)}</ul>
    <div class="act"><button class="secondary" onClick=${dry}>Dry run of all flows</button>
      <button disabled=${!shown} onClick=${() => rerun({})}>${shown ? `Run ${count(shown, "flow")} again` : "Run all again"}</button></div></${Panel}>`;
}

function Unknown({ run, said, open }) {
  const { data, error } = useEvery(10, () => command("doctor", { older_than_s: 0 }), [said?.document]);
  const unknown = (data?.findings ?? []).filter((one) => one.reason === "unknown");
  return html`<${Panel} title="Unknown outcomes"><${Oops} error=${error} />
    <p class="muted">Stripe may have executed these. A look at Stripe, an event or an answer proves it.</p>
    <ul class="rows">${unknown.slice(0, SHOWN).map((one) => html`<${Finding} key=${one.request_id} finding=${one} open=${open} />`)}</ul>
    ${data && !unknown.length && html`<p class="muted">No outcome is unknown.</p>`}
    <div class="act"><button onClick=${() => run(() => command("reconcile"))}>Settle now</button></div></${Panel}>`;
}

export function Repair({ open }) {
  const { said, run } = useAnswer();
  return html`<${Answer} said=${said} /><${DeadLetters} run=${run} said=${said} />
    <${DeadFlows} run=${run} said=${said} open=${open} />
    <${Unknown} run=${run} said=${said} open=${open} />`;
}
