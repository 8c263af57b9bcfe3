// Copyright: crowsnest contributors
// SPDX-License-Identifier: Apache-2.0
// Draws a provisioned dashboard from live queries through the proxy of its data sources: the kinds of panels, units and
// variables that crowsnest's dashboards have. What becomes of a value is decided in looks.js.
"use strict";

const CLOCK = { hour: "2-digit", minute: "2-digit" };
const FULL = { year: "numeric", month: "2-digit", day: "2-digit", ...CLOCK, second: "2-digit" };
const GREY = "#8e8fa0";
const grid = document.getElementById("grid");
const address = new URLSearchParams(location.search);
const values = {}; // name of a variable → what it is replaced with in queries
const moments = []; // {at, text} of the dashboard's annotations, drawn on every chart
let from, to, timeZone;

const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
const when = (milliseconds, options) => new Intl.DateTimeFormat("sv-SE", { timeZone, ...options }).format(milliseconds);
const make = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
};

// --- text -----------------------------------------------------------------------------------------------------------

/** The part of Markdown that text panels use: paragraphs, tables, bold, code and links. */
function markdown(source) {
  const inline = (text) => escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>").replace(/\*\*([^*]+)\*\*/g, "<b>$1</b>")
    .replace(/\[([^\]]+)\]\(((?:https?:\/)?\/[^)\s]*)\)/g, '<a href="$2">$1</a>');
  return source.trim().split(/\n{2,}/).map((block) => {
    if (!block.startsWith("|")) return `<p>${inline(block)}</p>`;
    const rows = block.split("\n").filter((line) => !/^[\s|:-]+$/.test(line)).map((line) => line.trim().slice(1, -1).split("|"));
    return `<table>${rows.map((cells, at) => `<tr>${cells.map((cell) => (at ? `<td>${inline(cell)}</td>` : `<th>${inline(cell)}</th>`)).join("")}</tr>`).join("")}</table>`;
  }).join("");
}

// --- variables and data ---------------------------------------------------------------------------------------------

async function api(path) {
  const answer = await fetch(path);
  if (answer.status === 401) location.href = "/login";
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(found.message === "Data source not found" ? "datasource not found" : `${answer.status}: ${found.error || found.message || "no answer"}`);
  return found;
}

const proxy = (source, call, parameters) => api(`/api/datasources/proxy/uid/${source.uid}/api/v1/${call}?${new URLSearchParams(parameters)}`);

/** Milliseconds of "now-6h" or of a number. */
function moment(text) {
  const match = /^now(?:-(\d+)([smhdw]))?/.exec(text);
  const unit = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
  return match ? Date.now() - (match[1] || 0) * (unit[match[2]] || 0) * 1000 : Number(text);
}

/** Text with the dashboard's variables and Grafana's own filled in. */
function filled(text, step = 60) {
  const range = Math.round((to - from) / 1000);
  const known = { ...values, __interval: `${step}s`, __rate_interval: `${Math.max(step + 15, 60)}s`, __range: `${range}s`, __range_s: range,
    __url_time_range: `from=${from}&to=${to}` };
  return String(text).replace(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, (whole, braced, bare) => known[braced || bare] ?? whole);
}
const linked = (panel, labels) => { const link = linkOf(panel, labels); return link && filled(link); };

/** A choice on top of the page: one of a list, or of the values of a label in Prometheus. */
async function setUp(variable) {
  const call = /^label_values\((?:(.*),)?\s*(\w+)\s*\)$/s.exec(filled(variable.query));
  const limits = call && [["start", from / 1000], ["end", to / 1000], ...(call[1] ? [["match[]", call[1].trim()]] : [])];
  const options = call ? (await proxy(variable.datasource, `label/${call[2]}/values`, limits)).data : variable.query.split(",").map((each) => each.trim());
  const asked = address.getAll(`var-${variable.name}`).filter((each) => each !== "$__all");
  const picked = asked.length || variable.includeAll ? asked : [variable.current.value];
  values[variable.name] = picked.length > 1 ? `(${picked.join("|")})` : picked[0] ?? variable.allValue ?? `(${options.join("|")})`;
  const select = make("select", { ariaLabel: variable.label });
  if (variable.includeAll) select.append(new Option("All", "$__all"));
  for (const each of options) select.append(new Option(each, each, false, picked.includes(each)));
  select.onchange = () => { address.set(`var-${variable.name}`, select.value); location.search = address; };
  document.getElementById("variables").append(make("span", { className: "variable" }, make("label", {}, variable.label), select));
}

/** All series of a panel: {name, labels, points: [[milliseconds, number or null]], target}. */
async function series(panel, width) {
  const step = Math.max(15, Math.ceil((to - from) / 1000 / Math.max(60, width / 2) / 15) * 15);
  const asked = panel.targets.map(async (target) => {
    const query = filled(target.expr, step);
    const source = target.datasource || panel.datasource;
    const [start, end] = [from, to].map((each) => Math.floor(each / 1000 / step) * step);
    const { data, infos = [], warnings = [] } = await (target.instant ? proxy(source, "query", { query, time: to / 1000 }) : proxy(source, "query_range", { query, start, end, step }));
    if (panel.notices) panel.notices.push(...infos, ...warnings);
    const results = data.resultType === "scalar" ? [{ metric: {}, value: data.result }] : data.result;
    return results.map((each) => ({ target, labels: each.metric, points: gapped(each.values || [each.value], step),
      name: seriesName(each.metric, filled(target.legendFormat || "")) }));
  });
  return (await Promise.all(asked)).flat();
}

/** The moments of an annotation of which the values are times. */
async function mark({ target, titleFormat, textFormat }) {
  const step = Math.max(60, Math.ceil((to - from) / 1000 / 1000));
  const { data } = await proxy(target.datasource, "query_range", { query: filled(target.expr, step), start: from / 1000, end: to / 1000, step });
  for (const { metric, values: samples } of data.result) {
    const text = `${seriesName(metric, titleFormat)} ${seriesName(metric, textFormat)}`;
    for (const at of new Set(samples.map((sample) => Number(sample[1])))) if (at >= from && at <= to) moments.push({ at, text: `${text} ${when(at, FULL)}` });
  }
}

/** Points with a null where samples are missing, so that lines break there. */
function gapped(samples, step) {
  const points = [];
  for (const [time, text] of samples) {
    const last = points.at(-1);
    if (last && time * 1000 - last[0] > step * 1500) points.push([last[0] + step * 1000, null]);
    points.push([time * 1000, Number.isFinite(Number(text)) ? Number(text) : null]);
  }
  return points;
}
const lastOf = (points) => points.findLast((point) => point[1] !== null)?.[1] ?? null;

// --- panels ---------------------------------------------------------------------------------------------------------

function drawTimeseries(panel, body, found, defaults) {
  const { stacking, fillOpacity, thresholdsStyle } = defaults.custom;
  const stacked = stacking?.mode === "normal", canvas = make("canvas"), legend = make("div", { className: "legend" });
  const datasets = found.map((each, index) => {
    const own = seriesColor(defaults.color?.mode, index, each.name), mark = make("i");
    mark.style.background = own;
    legend.append(make("span", { title: each.name }, mark, each.name));
    return { label: each.name, data: each.points.map(([x, y]) => ({ x, y })), borderColor: own, borderWidth: 1,
      backgroundColor: `${own}${Math.round(fillOpacity * 2.55).toString(16).padStart(2, "0")}`, pointRadius: each.points.length < 2 ? 2 : 0,
      fill: stacked && index ? "-1" : "origin", spanGaps: false };
  });
  const seen = found.flatMap((each) => each.points.map((point) => point[1])).filter((value) => value !== null);
  const sums = new Map(); // the height of the stack, or the highest line, at each time
  for (const [time, value] of found.flatMap((each) => each.points)) sums.set(time, stacked ? (sums.get(time) || 0) + value : Math.max(sums.get(time) ?? value, value));
  const top = Math.max(...seen), height = (defaults.max ?? Math.max(...sums.values())) - Math.min(0, ...seen);
  for (const limit of thresholdsStyle ? defaults.thresholds.steps : []) {
    if (limit.value === undefined || limit.value === null || (defaults.max === undefined && limit.value > top * 2.5)) continue;
    datasets.push({ label: "", data: [{ x: from, y: limit.value }, { x: to, y: limit.value }], borderColor: color(limit.color), borderWidth: 1,
      borderDash: [7, 5], pointRadius: 0, pointHitRadius: 0, fill: false, stack: `limit ${limit.value}` });
  }
  body.append(make("div", { className: "chart" }, canvas), legend);
  const lines = { color: "#25282e", drawBorder: false, borderColor: "transparent" }, ticks = { color: GREY, font: { size: 11 } };
  const binary = ["bytes", "binBps"].includes(defaults.unit) && height > 0 ? 2 ** Math.ceil(Math.log2(height / 5)) : undefined;
  new Chart(canvas, { type: "line", data: { datasets }, plugins: [{ afterDraw: drawMoments }], options: {
    animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true, interaction: { mode: "nearest", axis: "x", intersect: false },
    plugins: { legend: { display: false }, tooltip: { itemSort: (a, b) => b.parsed.y - a.parsed.y, filter: (item) => item.dataset.label !== "", callbacks: {
      title: (items) => (items.length ? when(items[0].parsed.x, FULL) : ""), label: (item) => ` ${item.dataset.label}: ${shown(item.parsed.y, defaults).text}` } } },
    scales: {
      x: { type: "linear", min: from, max: to, grid: lines, ticks: { ...ticks, maxRotation: 0, callback: (value) => when(value, CLOCK) }, afterBuildTicks: roundTimes },
      y: { stacked, min: defaults.min, max: defaults.max, suggestedMin: top === 0 ? 0 : undefined, suggestedMax: top === 0 ? 1 : undefined, grid: lines,
        ticks: { ...ticks, maxTicksLimit: 6, stepSize: binary, callback: (value) => shown(value, { ...defaults, mappings: [], decimals: undefined }).text } } } } });
}

/** A dashed line at each moment; its text is the tooltip of the whole chart. */
function drawMoments({ ctx, canvas, chartArea: { top, bottom }, scales: { x } }) {
  canvas.title = moments.map((each) => each.text).join("\n");
  ctx.save();
  ctx.strokeStyle = color("blue");
  ctx.setLineDash([4, 4]);
  for (const { at } of moments) {
    ctx.beginPath();
    ctx.moveTo(x.getPixelForValue(at), top);
    ctx.lineTo(x.getPixelForValue(at), bottom);
    ctx.stroke();
  }
  ctx.restore();
}

/** Marks at round times, at most one each 80 pixels. */
function roundTimes(axis) {
  const wanted = ((to - from) * 80) / Math.max(axis.width, 80) / 1000;
  const step = 1000 * ([60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].find((each) => each >= wanted) || 604800);
  axis.ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) axis.ticks.push({ value: at });
}

function drawStat(panel, body, found, defaults) {
  const { colorMode, textMode, graphMode, text = {} } = panel.options, background = colorMode === "background";
  const cells = (found.length ? found : [{ labels: {}, points: [], name: "" }]).slice(0, 40).map((each) => ({ ...each, value: shown(lastOf(each.points), defaults) }));
  const named = textMode.includes("name") || cells.length > 1;
  const rows = Math.ceil(cells.length / Math.max(1, Math.floor(body.clientWidth / 90)));
  const columns = Math.ceil(cells.length / rows), longest = Math.max(3, ...cells.map((each) => each.value.text.length));
  const size = Math.max(13, Math.min(46, (body.clientHeight / rows) * 0.4, (body.clientWidth / columns) / (longest * 0.66)));
  const name = text.titleSize ?? Math.min(20, (body.clientWidth / columns) * 0.8 / (0.62 * Math.max(...cells.map((each) => each.name.length))));
  const box = make("div", { className: "stats" });
  box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  for (const { value, labels, points, name: title } of cells) {
    const href = linked(panel, labels), number = make("b", {}, value.text), heading = make("em", {}, title);
    const cell = make(href ? "a" : "div", { className: background ? "stat filled" : "stat", ...(href && { href }) });
    cell.style[background ? "background" : "color"] = value.color;
    number.style.fontSize = `${size}px`;
    heading.style.fontSize = `${name}px`;
    if (graphMode === "area" && points.length > 2) cell.insertAdjacentHTML("beforeend", spark(points, value.color));
    cell.append(...(named ? [heading, number] : [number]));
    box.append(cell);
  }
  body.append(box);
}

function spark(points, tone) {
  const known = points.filter((point) => point[1] !== null), numbers = known.map((point) => point[1]);
  const low = Math.min(...numbers), high = Math.max(...numbers), x = (time) => (((time - from) / (to - from)) * 100).toFixed(1);
  const line = known.map(([time, value]) => `${x(time)},${(38 - ((value - low) / (high - low || 1)) * 32).toFixed(1)}`).join(" ");
  return `<svg viewBox="0 0 100 40" preserveAspectRatio="none"><polygon points="${x(known[0][0])},40 ${line} ${x(known.at(-1)[0])},40" fill="${tone}" opacity=".16"/>`
    + `<polyline points="${line}" fill="none" stroke="${tone}" stroke-width="1.2" vector-effect="non-scaling-stroke" opacity=".75"/></svg>`;
}

function drawBars(panel, body, found, defaults) {
  const rows = found.map((each) => ({ ...each, value: lastOf(each.points) })), numbers = rows.map((row) => row.value);
  const low = defaults.min ?? Math.min(0, ...numbers), high = defaults.max ?? Math.max(...numbers, low + 1e-9);
  const { sizing, minVizHeight = 16, maxVizHeight = 300, namePlacement = "auto" } = panel.options;
  const box = make("div", { className: `bars ${namePlacement}` }), each = body.clientHeight / Math.max(1, rows.length) - 4;
  for (const row of rows) {
    const value = shown(row.value, defaults), fill = make("i"), number = make("b", {}, value.text), href = linked(panel, row.labels);
    const name = barName(row, defaults, rows.length), bar = make("div", {}, fill);
    bar.style.height = `${sizing === "manual" ? Math.min(maxVizHeight, Math.max(minVizHeight, each)) : Math.max(10, each)}px`;
    fill.style.width = `${Math.max(0, Math.min(100, ((row.value - low) / (high - low)) * 100))}%`;
    fill.style.background = number.style.color = value.color;
    box.append(make("div", { className: name ? "bar" : "bar nameless" }, ...(name ? [make("span", { title: name }, href ? make("a", { href }, name) : name)] : []), bar, number));
  }
  body.append(box);
}

function drawTimeline(panel, body, found, defaults) {
  const box = make("div", { className: "timeline" }), ticks = make("div", { className: "ticks" }), legend = make("div", { className: "legend" });
  const x = (time) => Math.max(0, Math.min(1000, ((time - from) / (to - from)) * 1000)), states = new Map();
  const { perPage = 20, legend: wanted } = panel.options, pages = Math.ceil(found.length / perPage);
  for (const { name, points } of found.slice(0, perPage)) {
    const step = points.length > 1 ? Math.min(...points.slice(1).map((point, at) => point[0] - points[at][0])) : 60000;
    const parts = points.filter((point) => point[1] !== null).map(([time, value]) => {
      const { text } = shown(value, defaults), tone = stateColor(value, defaults);
      states.set(text, tone);
      return `<rect x="${x(time)}" width="${x(time + step) - x(time) + 0.3}" height="10" fill="${tone}"><title>${escapeHtml(text)} ${when(time, FULL)}</title></rect>`;
    });
    const row = make("div", { innerHTML: `<svg viewBox="0 0 1000 10" preserveAspectRatio="none" shape-rendering="crispEdges"><g opacity=".85">${parts.join("")}</g></svg>` });
    box.append(make("span", { title: name }, name), row.firstChild);
  }
  for (let at = 0; at <= 6; at += 1) ticks.append(make("span", {}, when(from + ((to - from) * at) / 6, CLOCK)));
  box.style.gridTemplateRows = `repeat(${Math.min(perPage, found.length)}, minmax(0, 1fr)) auto`;
  box.append(make("span"), ticks);
  for (const [text, tone] of wanted?.showLegend ? states : []) {
    const mark = make("i");
    mark.style.background = tone;
    legend.append(make("span", {}, mark, text));
  }
  body.append(box, legend, make("div", { className: "pages" }, `‹ 1 of ${pages} ›`));
}

function drawTable(panel, body, found, defaults) {
  const step = (id) => panel.transformations.find((each) => each.id === id).options;
  const { renameByName, indexByName } = step("organize");
  const many = panel.targets.length > 1, merged = new Map(); // of several queries: a row per set of labels, a column per query
  found.forEach((each, at) => {
    const key = many ? JSON.stringify(each.labels) : at, value = many ? `Value #${each.target.refId}` : "Value";
    merged.set(key, { Time: each.points[0][0], ...each.labels, ...merged.get(key), [value]: lastOf(each.points) });
  });
  const rows = [...merged.values()], least = defaults.custom?.minWidth ?? 150;
  const columns = step("filterFieldsByName").include.names.filter((name) => rows.some((row) => name in row)).sort((a, b) => indexByName[a] - indexByName[b]);
  const kind = (name) => (/^Value( #\w+)?$/.test(name) ? "number" : "");
  const lines = rows.slice(0, 200).map((row) => {
    const cells = rowOf(panel, row), texts = Object.fromEntries(Object.entries(cells).map(([name, { text }]) => [name, text]));
    const href = linked(panel, texts);
    return make("tr", {}, ...columns.map((name) => {
      const inner = make(href ? "a" : "span", { ...(href && { href }) }, cells[name].text);
      if (configOf(panel, renameByName[name])["custom.cellOptions"]?.type === "color-text") inner.style.color = cells[name].color;
      return make("td", { className: kind(name), title: cells[name].text }, inner);
    }));
  });
  const widths = columns.map((name) => configOf(panel, renameByName[name])["custom.width"]);
  const head = make("tr", {}, ...columns.map((name, at) => {
    const cell = make("th", { className: kind(name) }, renameByName[name]);
    cell.style.width = widths[at] ? `${widths[at]}px` : "auto";
    return cell;
  }));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines));
  table.style.minWidth = `${widths.reduce((sum, width) => sum + (width || least), 0)}px`;
  body.append(make("div", { className: "scroll" }, table));
}

const KINDS = { timeseries: drawTimeseries, stat: drawStat, bargauge: drawBars, "state-timeline": drawTimeline, table: drawTable };

async function draw(panel) {
  const { x, y, w, h } = panel.gridPos, box = make("section", { className: panel.type === "row" ? "row" : "panel" });
  box.style.setProperty("--rows", h);
  box.style.gridArea = `${y + 1} / ${x + 1} / span ${h} / span ${w}`;
  grid.append(box);
  if (panel.type === "row") { box.append(panel.title); return; }
  const heading = make("h2", { title: panel.description || "" }, make("span", {}, filled(panel.title))), body = make("div", { className: "body" });
  if (panel.description) heading.append(make("small", {}, "i"));
  box.append(heading, body);
  if (panel.type === "text") { body.classList.add("text"); body.innerHTML = markdown(filled(panel.options.content)); return; }
  const defaults = panel.fieldConfig.defaults;
  try {
    if (!KINDS[panel.type]) throw new Error(`no preview of panels of type ${panel.type}`);
    panel.notices = [];
    const found = await series(panel, box.clientWidth);
    if (panel.notices.length) heading.append(make("small", { className: "doubt", title: panel.notices.join("\n") }, "⚠"));
    if (found.length || panel.type === "stat") KINDS[panel.type](panel, body, found, defaults);
    else body.append(make("div", { className: "nodata" }, defaults.noValue || "No data"));
  } catch (error) {
    body.replaceChildren(make("div", { className: "wrong" }, `⚠ ${error.message}`));
  }
}

async function start() {
  document.body.classList.toggle("kiosk", address.has("kiosk"));
  const { dashboard } = await api(`/api/dashboards/uid/${grid.dataset.uid}`);
  timeZone = dashboard.timezone === "browser" ? undefined : dashboard.timezone || undefined;
  const begin = address.get("from") || dashboard.time.from, end = address.get("to") || dashboard.time.to;
  from = moment(begin); to = moment(end);
  const last = end === "now" && /^now-(\d+)([mhdw])$/.exec(begin), names = { m: "minutes", h: "hours", d: "days", w: "weeks" };
  document.getElementById("range").textContent = last ? `Last ${`${last[1]} ${names[last[2]]}`.replace(/^1 (\w+)s$/, "$1")}` : `${when(from, FULL)} to ${when(to, FULL)}`;
  for (const variable of dashboard.templating?.list || []) await setUp(variable);
  for (const link of dashboard.links || []) {
    const menu = link.type === "dashboards";
    document.getElementById("links").append(make("a", { className: "button", href: menu ? "/" : filled(link.url) }, menu ? `☰ ${link.title}` : link.title));
  }
  await Promise.allSettled((dashboard.annotations?.list || []).filter((each) => each.useValueForTime).map(mark));
  await Promise.all(dashboard.panels.map(draw));
  document.body.dataset.drawn = "yes";
}

start().catch((error) => { grid.replaceChildren(make("div", { className: "wrong" }, error.message)); document.body.dataset.drawn = "failed"; });
