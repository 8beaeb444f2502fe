// Dead letters, and requests whose outcome is unknown.
import { command, useEvery } from "/static/ask.js";
import { Answer, Fields, Finding, Oops, Panel, useAnswer } from "/static/parts.js";
import { count, plain } from "/static/text.js";
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
    <${Unknown} run=${run} said=${said} open=${open} />`;
}
