// A form made from the JSON Schema of an operation's parameters. It only helps to write: the API alone judges.
import { plain } from "/static/text.js";
import { html, useState } from "/static/vendor/preact-htm.js";

const resolve = (schema, defs) => {
  const named = schema.$ref ? defs[schema.$ref.split("/").pop()] : schema;
  // Of several forms the richest one: most are an object or an empty text.
  const [rich] = (named.anyOf ?? []).filter((one) => one.type === "object" || one.properties || one.type === "array" || one.$ref);
  return named.anyOf ? resolve(rich ?? named.anyOf[0], defs) : named;
};

const inBrackets = (path, name) => path ? `${path}[${name}]` : name;
const without = (object, name) => Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
const isNumber = (text) => text.trim() !== "" && String(Number(text)) === text.trim();
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

const Wrong = ({ id, messages }) => messages?.length
  ? html`<small id=${id} class="bad">${messages.map(plain).join(" ")}</small>` : null;

function Choice({ values, value, ...given }) {
  const pick = (event) => given.change(values[event.target.selectedIndex - 1]);
  return html`<select aria-label=${given.label} aria-invalid=${given.invalid} aria-describedby=${given.described} onChange=${pick}>
    <option value="">–</option>${values.map((one) => html`<option key=${one} value=${String(one)} selected=${one === value}>${String(one)}</option>`)}</select>`;
}

function Text({ schema, value, ...given }) {
  const wantsNumber = schema.type === "integer" || schema.type === "number";
  const type = ({ target: { value: text } }) =>
    given.change(text === "" ? undefined : wantsNumber && isNumber(text) ? Number(text) : text);
  return html`<input aria-label=${given.label} aria-invalid=${given.invalid} aria-describedby=${given.described}
    value=${value ?? ""} inputmode=${wantsNumber ? "numeric" : null} onInput=${type}
    placeholder=${schema.format ?? schema.type ?? ""} />`;
}

function Scalar({ schema, ...given }) {
  const values = schema.enum ?? (schema.const !== undefined ? [schema.const] : schema.type === "boolean" ? [true, false] : null);
  return values ? html`<${Choice} values=${values} ...${given} />` : html`<${Text} schema=${schema} ...${given} />`;
}

// Pairs such as metadata, a line each.
function Pairs({ value, ...given }) {
  const [text, setText] = useState(Object.entries(value ?? {}).map(([name, one]) => `${name}=${one}`).join("\n"));
  const type = (event) => {
    setText(event.target.value);
    const pairs = event.target.value.split("\n").filter((line) => line.includes("="));
    given.change(pairs.length ? Object.fromEntries(pairs.map((line) => [line.split("=")[0].trim(), line.slice(line.indexOf("=") + 1)])) : undefined);
  };
  return html`<textarea aria-label=${given.label} rows="2" placeholder="name=value" value=${text} onInput=${type}></textarea>`;
}

function List({ schema, value, change, path, label, ...rest }) {
  const items = Array.isArray(value) ? value : [];
  const put = (place) => (one) => change(items.map((old, at) => (at === place ? one ?? "" : old)));
  const drop = (place) => change(items.length > 1 ? items.filter((_, at) => at !== place) : undefined);
  const one = resolve(schema.items ?? {}, rest.defs);
  const add = () => change([...items, one.properties ? {} : one.enum?.[0] ?? ""]);
  return html`<div class="nested">${items.map((item, place) => html`<div class="item" key=${place}>
    <${Value} ...${rest} schema=${one} value=${item} change=${put(place)} path=${inBrackets(path, place)} label=${`${label} ${place + 1}`} />
    <button type="button" class="quiet" aria-label=${`Remove ${label} ${place + 1}`} onClick=${() => drop(place)}>×</button></div>`)}
    <button type="button" class="quiet" onClick=${add}>Add to ${plain(label)}</button></div>`;
}

function Value(given) {
  const schema = resolve(given.schema, given.defs);
  if (schema.properties) return html`<div class="nested"><${Members} ...${given} schema=${schema} /></div>`;
  if (schema.type === "object") return html`<${Pairs} ...${given} />`;
  if (schema.type === "array") return html`<${List} ...${given} schema=${schema} />`;
  const described = `wrong-${given.path}`;
  const wrong = given.errors[given.path];
  return html`<${Scalar} ...${given} schema=${schema} invalid=${wrong ? "true" : null} described=${wrong ? described : null} />
    <${Wrong} id=${described} messages=${wrong} />`;
}

function Member({ name, needed, drop, ...given }) {
  const path = inBrackets(given.path, name);
  return html`<div class="member"><div class="name">${plain(name)}${needed ? html`<b title="required"> *</b>`
      : html`<button type="button" class="quiet" aria-label=${`Leave out ${path}`} onClick=${drop}>×</button>`}</div>
    <${Value} ...${given} path=${path} label=${path} /></div>`;
}

// The members that are required, given or added, and a list of the others.
export function Members({ schema, defs, value, change, path = "", errors }) {
  const [added, setAdded] = useState([]);
  const given = isObject(value) ? value : {};
  const required = schema.required ?? [];
  const shown = [...new Set([...required, ...Object.keys(given), ...added])].filter((name) => schema.properties[name]);
  const others = Object.keys(schema.properties).filter((name) => !shown.includes(name)).sort();
  const put = (name) => (one) => change(one === undefined ? without(given, name) : { ...given, [name]: one });
  const drop = (name) => () => { setAdded(added.filter((one) => one !== name)); change(without(given, name)); };
  const add = (event) => { setAdded([...added, event.target.value]); event.target.value = ""; };
  return html`${shown.map((name) => html`<${Member} key=${name} name=${name} needed=${required.includes(name)} drop=${drop(name)}
      schema=${schema.properties[name]} defs=${defs} value=${given[name]} change=${put(name)} path=${path} errors=${errors} />`)}
    ${others.length > 0 && html`<select class="more" aria-label=${path ? `Add to ${path}` : "Add a parameter"} onChange=${add}>
      <option value="">Add a parameter (${others.length})</option>${others.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select>`}`;
}
