// Lines over time, drawn by uPlot. `points` is [times, values, values …], and each series has a name and a
// colour. The scale goes up to `least` at least.
import { html, useEffect, useRef } from "/static/vendor/preact-htm.js";
import { plain } from "/static/text.js";
import uPlot from "/static/vendor/uplot.js";

const HEIGHT = 150;
const LEAST_S = 60;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia("(prefers-color-scheme: dark)");

const seriesOf = ({ name, ink, dots = false }, only) => ({
  label: name,
  stroke: () => colour(ink),
  fill: only ? () => `${colour(ink)}22` : undefined,
  width: 2,
  points: { show: dots, size: 4 },
  spanGaps: true,
});

const minute = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function draw(box, { series, points, show, least }) {
  const axis = { stroke: () => colour("--ink-2"), grid: { stroke: "#8883", width: 1 }, ticks: { show: false } };
  return new uPlot({
    width: box.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false },
    axes: [{ ...axis, space: 70, size: 32, values: (_, marks) => marks.map(minute) }, { ...axis, size: 58, values: (_, marks) => marks.map(show) }],
    series: [{}, ...series.map((one) => seriesOf(one, series.length === 1))],
    scales: { x: { range: (_, from, to) => [Math.min(from, to - LEAST_S), to] }, y: { range: (_, __, high) => [0, Math.max(high * 1.1, least)] } },
  }, points, box);
}

export function Plot({ title, ...drawn }) {
  const { series, points, show } = drawn;
  const box = useRef();
  const plot = useRef();
  useEffect(() => {
    plot.current = draw(box.current, drawn);
    const watch = new ResizeObserver(() => plot.current.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    const again = () => plot.current.redraw();
    watch.observe(box.current);
    dark.addEventListener("change", again);
    return () => { watch.disconnect(); dark.removeEventListener("change", again); plot.current.destroy(); };
  }, [series.length]);
  useEffect(() => plot.current.setData(points), [points]);
  const now = (place) => show((points[place + 1] ?? []).findLast((value) => value !== null) ?? 0);
  const told = series.map(({ name }, place) => `${plain(name)} ${now(place)}`);
  return html`<section class="panel plot"><h2>${title}</h2>
    <ul class="legend">${series.map(({ name, ink }, place) => html`<li key=${name}>
      <i style=${{ background: `var(${ink})` }}></i>${plain(name)} <b>${now(place)}</b></li>`)}</ul>
    <div ref=${box} role="img" aria-label=${`${title}: ${told.join(", ")}`}></div></section>`;
}
