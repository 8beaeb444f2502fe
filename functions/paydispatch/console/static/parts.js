// The parts that several views have.
import { html, useState } from "/static/vendor/preact-htm.js";
import { age, plain, pretty } from "/static/text.js";

export const Panel = ({ title, children }) => html`<section class="panel"><h2>${title}</h2>${children}</section>`;

export const Oops = ({ error }) => error ? html`<p role="alert" class="bad">${plain(error)}</p>` : null;

export const Status = ({ of }) => html`<span class=${`status ${plain(of)}`}>${plain(of)}</span>`;

export const Hold = ({ hold }) => html`<p class="wait">${plain(hold.kind)}: ${plain(hold.subject)},
  ${" "}${plain(hold.detail)}. Next: ${plain(hold.next_step)}</p>`;

export const Fields = ({ label, of, open }) => html`<details open=${open}><summary>${label}</summary>
  <pre tabindex="0" aria-label=${label}>${pretty(of)}</pre></details>`;

export const Tile = ({ name, value, note, kind = "" }) => html`<div class="tile"><span>${plain(name)}</span>
  <b class=${kind}>${plain(value)}</b>${note && html`<small>${plain(note)}</small>`}</div>`;

// A finding of `doctor`: a request that has had no terminal flow yet.
export const Finding = ({ finding, open }) => html`<li><button onClick=${() => open(finding)}>
  <span class="wait">${plain(finding.reason)}</span><span>${plain(finding.operation ?? finding.object)}</span>
  <span>${plain(finding.worker_id)}</span><span class="muted">${age(finding.since)}</span>
  <span class="why">${plain(finding.detail)}. Next: ${plain(finding.next_step)}
    ${finding.expected_at ? `, at ${new Date(finding.expected_at * 1000).toLocaleTimeString()}` : ""}</span></button></li>`;

// Runs commands, and keeps the last answer: {said, run, tell}.
export function useAnswer() {
  const [said, tell] = useState();
  const run = async (work) => {
    tell({ working: true });
    try {
      const document = await work();
      tell({ document });
      return document;
    } catch (error) {
      tell({ error: error.message });
      return null;
    }
  };
  return { said, run, tell };
}

export function Answer({ said }) {
  if (!said) return null;
  if (said.error) return html`<${Oops} error=${said.error} />`;
  const text = said.working ? "Working…" : pretty(said.document);
  return html`<pre role="status" tabindex="0" aria-label="Answer">${text}</pre>`;
}
