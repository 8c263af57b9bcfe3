// Copyright: crowsnest contributors
// SPDX-License-Identifier: Apache-2.0
// Draws a provisioned dashboard from live queries through the proxy of its data sources: the kinds of panels, units and
// variables that crowsnest's dashboards have. Numbers are written as Grafana writes them:
// https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts
"use strict";

const COLORS = { green: "#73bf69", yellow: "#fade2a", orange: "#ff9830", red: "#f2495c", blue: "#5794f2", text: "#ccccdc" };
const PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#37872d", "#fade2a",
  "#447ebc", "#c15c17", "#e0b400", "#56a64b", "#a352cc", "#3274d9", "#ffb357", "#19b3b3", "#ff7383"];
const CLOCK = { hour: "2-digit", minute: "2-digit" };
const FULL = { year: "numeric", month: "2-digit", day: "2-digit", ...CLOCK, second: "2-digit" };
const GREY = "#8e8fa0";
const grid = document.getElementById("grid");
const address = new URLSearchParams(location.search);
const values = {}; // name of a variable → what it is replaced with in queries
let from, to, timeZone;

const color = (name) => COLORS[name] || name || COLORS.text;
const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
const when = (milliseconds, options) => new Intl.DateTimeFormat("sv-SE", { timeZone, ...options }).format(milliseconds);
const make = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
};

// --- numbers and names ----------------------------------------------------------------------------------------------

function digits(value, decimals) {
  if (decimals !== undefined && decimals !== null) return value.toFixed(decimals);
  const size = Math.abs(value);
  const places = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 3;
  return String(Number(value.toFixed(places)));
}

/** Of [[size, name], …], biggest first, the biggest step that fits the value. */
const stepped = (steps) => (value, decimals) => {
  const [size, name] = steps.find((step) => Math.abs(value) >= step[0]) || steps[steps.length - 1];
  return `${digits(value / size, decimals)}${name}`;
};
const powers = (base, names) => stepped(names.map((name, power) => [base ** power, name]).reverse());
const seconds = stepped([[31536000, " years"], [604800, " weeks"], [86400, " days"], [3600, " hours"], [60, " mins"], [1, " s"],
  [1e-3, " ms"], [1e-6, " µs"]]);
const ago = stepped([[31536000, " years ago"], [2592000, " months ago"], [86400, " days ago"], [3600, " hours ago"], [60, " minutes ago"]]);
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];
const UNITS = {
  none: digits,
  percent: (value, places) => `${digits(value, places)}%`,
  percentunit: (value, places) => `${digits(value * 100, places)}%`,
  s: (value, places) => (value === 0 ? "0 s" : seconds(value, places)),
  d: (value, places) => seconds(value * 86400, places),
  bytes: powers(1024, BYTES.map((name) => ` ${name}`)),
  binBps: powers(1024, BYTES.map((name) => ` ${name}/s`)),
  reqps: powers(1000, [" req/s", "K req/s", "Mil req/s"]),
  short: powers(1000, ["", " K", " Mil", " Bil", " Tri"]),
  dateTimeFromNow: (value) => (Date.now() - value < 60000 ? "a few seconds ago" : ago((Date.now() - value) / 1000, 0).replace(/^1 (\w+)s/, "1 $1")),
};

/** {text, color, named} of a value in a panel whose field defaults are given. */
function shown(value, defaults) {
  if (value === null || Number.isNaN(value)) return { text: defaults.noValue || "–", color: COLORS.text };
  for (const mapping of defaults.mappings || []) {
    const found = mapping.options[String(value)];
    if (found) return { text: found.text, color: color(found.color), named: true };
  }
  const reached = (defaults.thresholds?.steps || []).filter((step) => step.value === null || step.value === undefined || value >= step.value);
  return { text: (UNITS[defaults.unit] || digits)(value, defaults.decimals), color: color(reached.at(-1)?.color) };
}

/** The name of a series: its legend with the labels filled in, else all its labels. */
function seriesName(labels, legend) {
  if (legend && legend !== "__auto") return legend.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (_, name) => labels[name] ?? "") || "Value";
  const pairs = Object.entries(labels).filter(([name]) => name !== "__name__").map(([name, value]) => `${name}="${value}"`);
  return pairs.length ? `${labels.__name__ || ""}{${pairs.join(", ")}}` : labels.__name__ || "Value";
}

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

const proxy = (source, call, parameters) => api(`/api/datasources/proxy/uid/${source.uid}/api/v1/${call}?${new URLSearchParams(parameters)}`).then((answer) => answer.data);

/** Milliseconds of "now-6h" or of a number. */
function moment(text) {
  const match = /^now(?:-(\d+)([smhdw]))?/.exec(text);
  const unit = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
  return match ? Date.now() - (match[1] || 0) * (unit[match[2]] || 0) * 1000 : Number(text);
}

/** Text with the dashboard's variables, Grafana's own and the labels of a series filled in. */
function filled(text, step = 60, labels = {}) {
  const range = Math.round((to - from) / 1000);
  const known = { ...values, __interval: `${step}s`, __rate_interval: `${Math.max(step + 15, 60)}s`, __range: `${range}s`, __range_s: range,
    __url_time_range: `from=${from}&to=${to}` };
  return String(text).replace(/\$\{__(?:field\.labels|data\.fields)\.(\w+)\}/g, (_, name) => encodeURIComponent(labels[name] ?? ""))
    .replace(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, (whole, braced, bare) => known[braced || bare] ?? whole);
}
const linked = (panel, labels) => { const link = (panel.fieldConfig?.defaults?.links || [])[0]; return link && filled(link.url, 60, labels); };

/** A choice on top of the page: one of a list, or of the values of a label in Prometheus. */
async function setUp(variable) {
  const call = /^label_values\((?:(.*),)?\s*(\w+)\s*\)$/s.exec(filled(variable.query));
  const limits = call && [["start", from / 1000], ["end", to / 1000], ...(call[1] ? [["match[]", call[1].trim()]] : [])];
  const options = call ? await proxy(variable.datasource, `label/${call[2]}/values`, limits) : variable.query.split(",").map((each) => each.trim());
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
    const data = await (target.instant ? proxy(source, "query", { query, time: to / 1000 }) : proxy(source, "query_range", { query, start, end, step }));
    const results = data.resultType === "scalar" ? [{ metric: {}, value: data.result }] : data.result;
    return results.map((each) => ({ target, labels: each.metric, points: gapped(each.values || [each.value], step),
      name: seriesName(each.metric, filled(target.legendFormat || "")) }));
  });
  return (await Promise.all(asked)).flat();
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
    const own = PALETTE[index % PALETTE.length], mark = make("i");
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
  new Chart(canvas, { type: "line", data: { datasets }, options: {
    animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true, interaction: { mode: "nearest", axis: "x", intersect: false },
    plugins: { legend: { display: false }, tooltip: { itemSort: (a, b) => b.parsed.y - a.parsed.y, filter: (item) => item.dataset.label !== "", callbacks: {
      title: (items) => (items.length ? when(items[0].parsed.x, FULL) : ""), label: (item) => ` ${item.dataset.label}: ${shown(item.parsed.y, defaults).text}` } } },
    scales: {
      x: { type: "linear", min: from, max: to, grid: lines, ticks: { ...ticks, maxRotation: 0, callback: (value) => when(value, CLOCK) }, afterBuildTicks: roundTimes },
      y: { stacked, min: defaults.min, max: defaults.max, suggestedMin: top === 0 ? 0 : undefined, suggestedMax: top === 0 ? 1 : undefined, grid: lines,
        ticks: { ...ticks, maxTicksLimit: 6, stepSize: binary, callback: (value) => shown(value, { ...defaults, mappings: [], decimals: undefined }).text } } } } });
}

/** Marks at round times, at most one each 80 pixels. */
function roundTimes(axis) {
  const wanted = ((to - from) * 80) / Math.max(axis.width, 80) / 1000;
  const step = 1000 * ([60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].find((each) => each >= wanted) || 604800);
  axis.ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) axis.ticks.push({ value: at });
}

function drawStat(panel, body, found, defaults) {
  const { colorMode, textMode, graphMode } = panel.options, background = colorMode === "background";
  const cells = found.slice(0, 40).map((each) => ({ ...each, value: shown(lastOf(each.points), defaults) }));
  const rows = Math.ceil(cells.length / Math.max(1, Math.floor(body.clientWidth / 90)));
  const columns = Math.ceil(cells.length / rows), longest = Math.max(3, ...cells.map((each) => each.value.text.length));
  const size = Math.max(13, Math.min(46, (body.clientHeight / rows) * 0.4, (body.clientWidth / columns) / (longest * 0.66)));
  const box = make("div", { className: "stats" });
  box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
  for (const { value, labels, points, name } of cells) {
    const href = linked(panel, labels), number = make("b", {}, value.text);
    const cell = make(href ? "a" : "div", { className: background ? "stat filled" : "stat", ...(href && { href }) });
    cell.style[background ? "background" : "color"] = value.color;
    number.style.fontSize = `${size}px`;
    if (graphMode === "area" && points.length > 2 && rows === 1) cell.insertAdjacentHTML("beforeend", spark(points, value.color));
    if (textMode.includes("name") || found.length > 1) cell.append(make("em", {}, name));
    cell.append(number);
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
  const box = make("div", { className: "bars" });
  for (const row of rows.slice(0, Math.max(3, Math.floor(body.clientHeight / 21)))) {
    const value = shown(row.value, defaults), fill = make("i"), number = make("b", {}, value.text), href = linked(panel, row.labels);
    fill.style.width = `${Math.max(0, Math.min(100, ((row.value - low) / (high - low)) * 100))}%`;
    fill.style.background = number.style.color = value.color;
    box.append(make("div", { className: "bar" }, make("span", { title: row.name }, href ? make("a", { href }, row.name) : row.name), make("div", {}, fill), number));
  }
  body.append(box);
}

function drawTimeline(panel, body, found, defaults) {
  const box = make("div", { className: "timeline" }), ticks = make("div", { className: "ticks" }), legend = make("div", { className: "legend" });
  const x = (time) => Math.max(0, Math.min(1000, ((time - from) / (to - from)) * 1000));
  for (const { name, points } of found.slice(0, 40)) {
    const step = points.length > 1 ? Math.min(...points.slice(1).map((point, at) => point[0] - points[at][0])) : 60000;
    const parts = points.filter((point) => point[1] !== null).map(([time, value]) => {
      const state = shown(value, defaults);
      return `<rect x="${x(time)}" width="${x(time + step) - x(time) + 0.3}" height="10" fill="${state.color}"><title>${escapeHtml(state.text)} ${when(time, FULL)}</title></rect>`;
    });
    const row = make("div", { innerHTML: `<svg viewBox="0 0 1000 10" preserveAspectRatio="none" shape-rendering="crispEdges"><g opacity=".85">${parts.join("")}</g></svg>` });
    box.append(make("span", { title: name }, name), row.firstChild);
  }
  for (let at = 0; at <= 6; at += 1) ticks.append(make("span", {}, when(from + ((to - from) * at) / 6, CLOCK)));
  box.style.gridTemplateRows = `repeat(${Math.min(40, found.length)}, minmax(0, 1fr)) auto`;
  box.append(make("span"), ticks);
  for (const each of (defaults.mappings || []).flatMap((mapping) => Object.values(mapping.options))) {
    const mark = make("i");
    mark.style.background = color(each.color);
    legend.append(make("span", {}, mark, each.text));
  }
  body.append(box, legend);
}

function drawTable(panel, body, found, defaults) {
  const step = (id) => panel.transformations.find((each) => each.id === id).options;
  const { renameByName, indexByName } = step("organize");
  const many = panel.targets.length > 1, merged = new Map(); // of several queries: a row per set of labels, a column per query
  found.forEach((each, at) => {
    const key = many ? JSON.stringify(each.labels) : at, value = many ? `Value #${each.target.refId}` : "Value";
    merged.set(key, { Time: each.points[0][0], ...each.labels, ...merged.get(key), [value]: lastOf(each.points) });
  });
  const rows = [...merged.values()];
  /** The defaults with what is said of one column. */
  const looks = (name) => Object.assign({ ...defaults }, ...(panel.fieldConfig.overrides || [])
    .filter((each) => each.matcher.options === renameByName[name]).flatMap((each) => each.properties.map(({ id, value }) => ({ [id]: value }))));
  const columns = step("filterFieldsByName").include.names.filter((name) => rows.some((row) => name in row)).sort((a, b) => indexByName[a] - indexByName[b]);
  const kind = (name) => (/^(Value( #\w+)?|Time)$/.test(name) ? "number" : "");
  const lines = rows.slice(0, 200).map((row) => make("tr", {}, ...columns.map((name) => {
    if (!kind(name)) return make("td", { title: row[name] || "" }, row[name] || "");
    const value = name === "Time" ? { text: when(row.Time, FULL), color: COLORS.text } : shown(row[name], looks(name));
    const href = linked(panel, row), inner = make(href ? "a" : "span", { ...(href && { href }) }, value.text);
    if ((!href || value.named) && (!many || looks(name)["custom.cellOptions"])) inner.style.color = value.color;
    return make("td", { className: "number" }, inner);
  })));
  const head = make("tr", {}, ...columns.map((name) => make("th", { className: kind(name) }, renameByName[name] || name)));
  body.append(make("div", { className: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines))));
}

const KINDS = { timeseries: drawTimeseries, stat: drawStat, bargauge: drawBars, "state-timeline": drawTimeline, table: drawTable };

async function draw(panel) {
  const { x, y, w, h } = panel.gridPos, box = make("section", { className: panel.type === "row" ? "row" : "panel" });
  box.style.gridArea = `${y + 1} / ${x + 1} / span ${h} / span ${w}`;
  grid.append(box);
  if (panel.type === "row") { box.append(panel.title); return; }
  const heading = make("h2", { title: panel.description || "" }, filled(panel.title)), body = make("div", { className: "body" });
  if (panel.description) heading.append(make("small", {}, "i"));
  box.append(heading, body);
  if (panel.type === "text") { body.classList.add("text"); body.innerHTML = markdown(filled(panel.options.content)); return; }
  const defaults = panel.fieldConfig.defaults;
  try {
    if (!KINDS[panel.type]) throw new Error(`no preview of panels of type ${panel.type}`);
    const found = await series(panel, box.clientWidth), stat = panel.type === "stat";
    if (found.length) KINDS[panel.type](panel, body, found, defaults);
    else body.append(make("div", { className: stat ? "nodata big" : "nodata" }, (stat && defaults.noValue) || "No data"));
  } catch (error) {
    body.replaceChildren(make("div", { className: "wrong" }, `⚠ ${error.message}`));
  }
}

async function start() {
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
  await Promise.all(dashboard.panels.map(draw));
  document.body.dataset.drawn = "yes";
}

start().catch((error) => { grid.replaceChildren(make("div", { className: "wrong" }, error.message)); document.body.dataset.drawn = "failed"; });
