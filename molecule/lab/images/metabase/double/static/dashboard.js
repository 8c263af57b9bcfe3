// Copyright: crowsnest contributors
// SPDX-License-Identifier: Apache-2.0
// Draws a dashboard, or one question, from live queries: each card at its place in the grid of 24 columns.
"use strict";

const PALETTE = ["#509ee3", "#88bf4d", "#a989c5", "#ef8c8c", "#f9d45c", "#f2a86f", "#98d9d9", "#7172ad"];
const PERIODS = [["", "All time"], ["today", "Today"], ["yesterday", "Yesterday"], ["past7days", "Past 7 days"], ["past30days", "Past 30 days"],
  ["thismonth", "This month"], ["lastmonth", "Last month"], ["past3months", "Past 3 months"], ["past12months", "Past 12 months"], ["thisyear", "This year"]];
const [, kind, slug] = location.pathname.split("/");
const reference = /^\d+/.exec(slug)?.[0] || slug;
const address = new URLSearchParams(location.search);
const charts = [];

const make = (tag, attributes = {}, ...children) => { const node = Object.assign(document.createElement(tag), attributes); node.append(...children); return node; };

async function api(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(`/api/${path}`, options);
  if (answer.status === 401) location.href = `/auth/login?redirect=${location.pathname}`;
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.json();
}

// --- the controls of the filters --------------------------------------------------------------------------------------

const valueOf = (parameter) => {
  const asked = address.get(parameter.slug);
  if (asked === null) return parameter.default ?? null;
  if (asked === "") return null;
  return parameter.type.startsWith("date") ? asked : asked.split(",").map((each) => each.trim()).filter(Boolean);
};

function choose(parameter, value) {
  address.set(parameter.slug, value);
  history.replaceState(null, "", `?${address}`);
  document.getElementById("board").replaceChildren();
  start();
}

/** "Past 30 days, with today" of past30days~; other texts as they are. */
const periodName = (value) => value.replace(/^(past|next)(\d+)([a-z]+)(~?)$/, (_, way, count, unit, wave) => `${way === "past" ? "Past" : "Next"} ${count} ${unit}${wave && `, with ${unit === "days" ? "today" : "this one"}`}`);

function dateControl(parameter, value) {
  const range = /^(\d{4}-\d\d-\d\d)?~(\d{4}-\d\d-\d\d)?$/.exec(value);
  const select = make("select", { ariaLabel: parameter.name });
  for (const [key, name] of PERIODS) select.append(new Option(name, key, false, key === value));
  if (value && !range && !PERIODS.some(([key]) => key === value)) select.append(new Option(periodName(value), value, false, true));
  select.append(new Option("Between", "between", false, Boolean(range)));
  const dates = [1, 2].map((at) => make("input", { type: "date", value: range?.[at] || "", ariaLabel: `${parameter.name} ${at === 1 ? "from" : "to"}` }));
  const between = make("span", { className: "between", hidden: !range }, dates[0], " – ", dates[1]);
  select.onchange = () => { if (select.value === "between") between.hidden = false; else choose(parameter, select.value); };
  for (const each of dates) each.onchange = () => { if (dates.some((one) => one.value)) choose(parameter, dates.map((one) => one.value).join("~")); };
  return [select, between];
}

function control(parameter) {
  const value = valueOf(parameter);
  const input = make("input", { value: [value ?? []].flat().join(", "), placeholder: "All", ariaLabel: parameter.name, size: 14 });
  input.onchange = () => choose(parameter, input.value);
  const parts = parameter.type.startsWith("date") ? dateControl(parameter, String(value ?? "")) : [input];
  return make("label", { className: value === null ? "filter" : "filter set" }, make("span", {}, parameter.name), ...parts);
}

// --- charts -----------------------------------------------------------------------------------------------------------

/** {x: place of the dimension, split: of the second one, or -1, metrics: places}: as set, else by the columns' types. */
function shape(data, settings) {
  const at = (name) => data.cols.findIndex((column) => column.name === name);
  const plain = data.cols.map((_, index) => index), counted = plain.filter((index) => numeric(data.cols[index], data.rows, index));
  const dimensions = (settings["graph.dimensions"] || [settings["pie.dimension"]]).flat().map(at).filter((index) => index >= 0);
  const metrics = (settings["graph.metrics"] || [settings["pie.metric"]]).map(at).filter((index) => index >= 0);
  const x = dimensions[0] ?? plain.find((index) => !counted.includes(index)) ?? 0;
  return { x, split: dimensions[1] ?? -1, metrics: metrics.length ? metrics : counted.filter((index) => index !== x) };
}

/** {labels, datasets: [{label, data, write}]}. */
function series(data, settings) {
  const { x, split, metrics } = shape(data, settings), label = writer(data, x, settings);
  const labels = [...new Set(data.rows.map((row) => label(row[x])))];
  const datasets = [];
  for (const metric of metrics) {
    const groups = new Map();
    for (const row of data.rows) {
      const name = split < 0 ? titleOf(data.cols[metric], settings) : writer(data, split, settings)(row[split]) || "(empty)";
      if (!groups.has(name)) groups.set(name, new Map());
      groups.get(name).set(label(row[x]), row[metric]);
    }
    for (const [name, values] of groups) datasets.push({ name: split < 0 ? data.cols[metric].name : name, label: name, data: labels.map((each) => values.get(each) ?? null), write: writer(data, metric, settings) });
  }
  return { labels, datasets, title: titleOf(data.cols[x], settings) };
}

function drawChart(box, display, data, settings) {
  const { labels, datasets, title } = series(data, settings);
  const pie = display === "pie", across = display === "row", write = datasets[0]?.write || String;
  const total = pie && datasets[0] ? datasets[0].data.reduce((sum, value) => sum + (value || 0), 0) : 0;
  datasets.forEach((each, index) => {
    const own = settings.series_settings?.[each.name] || {}, color = own.color || settings["graph.colors"]?.[index] || PALETTE[index % PALETTE.length];
    if (own.title) each.label = own.title;
    const line = (own.display || display) === "line" || (own.display || display) === "area";
    Object.assign(each, { type: pie ? "doughnut" : line ? "line" : "bar", backgroundColor: pie ? labels.map((_, at) => PALETTE[at % PALETTE.length]) : display === "area" ? `${color}55` : color,
      borderColor: pie ? "#fff" : color, borderWidth: line || pie ? 2 : 0, fill: display === "area", pointRadius: labels.length > 40 ? 0 : 3, tension: 0, maxBarThickness: 60, borderRadius: 2 });
  });
  const stacked = Boolean(settings["stackable.stack_type"]) || (display === "area" && datasets.length > 1);
  const values = { stacked, beginAtZero: true, grid: { color: "#eef0f3" }, border: { display: false }, ticks: { callback: (value) => write(value), maxTicksLimit: 6 } };
  const names = { stacked, grid: { display: false }, ticks: { maxRotation: 0, autoSkip: !across, autoSkipPadding: 12, callback(at) { const text = this.getLabelForValue(at); return text.length > 26 ? `${text.slice(0, 25)}…` : text; } },
    title: { display: !across && settings["graph.x_axis.labels_enabled"] !== false, text: settings["graph.x_axis.title_text"] || title } };
  const tip = (item) => `${pie ? item.label : item.dataset.label}: ${item.dataset.write(item.raw)}${pie && total ? ` (${((100 * item.raw) / total).toFixed(1)}%)` : ""}`;
  const legend = { display: pie || datasets.length > 1, position: pie ? "right" : "top", align: pie ? "center" : "start", labels: { boxWidth: 10, boxHeight: 10, usePointStyle: true } };
  const middle = { id: "total", afterDraw({ ctx, chartArea: area }) {
    if (!pie) return;
    const [x, y] = [(area.left + area.right) / 2, (area.top + area.bottom) / 2];
    Object.assign(ctx, { textAlign: "center", fillStyle: "#4c5773", font: "bold 17px sans-serif" });
    ctx.fillText(write(total), x, y + 2);
    Object.assign(ctx, { fillStyle: "#949aab", font: "10px sans-serif" });
    ctx.fillText("TOTAL", x, y + 16);
  } };
  const canvas = make("canvas");
  box.append(canvas);
  charts.push(new Chart(canvas, { type: pie ? "doughnut" : "bar", data: { labels, datasets }, plugins: [middle], options: { animation: false, maintainAspectRatio: false, responsive: true, cutout: "62%",
    indexAxis: across ? "y" : "x", interaction: { mode: pie ? "nearest" : "index", intersect: pie }, scales: pie ? {} : across ? { x: values, y: names } : { x: names, y: values },
    plugins: { legend, tooltip: { callbacks: { label: tip } } } } }));
}

function drawTable(box, data, settings) {
  const shown = (settings["table.columns"] || []).filter((each) => each.enabled).map((each) => data.cols.findIndex((column) => column.name === each.name)).filter((at) => at >= 0);
  const places = shown.length ? shown : data.cols.map((_, at) => at), writers = data.cols.map((_, at) => writer(data, at, settings));
  const side = (at) => (numeric(data.cols[at], data.rows, at) ? "number" : "");
  const head = make("tr", {}, ...places.map((at) => make("th", { className: side(at) }, titleOf(data.cols[at], settings))));
  const rows = data.rows.map((row) => make("tr", {}, ...places.map((at) => make("td", { className: side(at) }, writers[at](row[at])))));
  box.append(make("div", { className: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows))));
}

/** One number; with earlier rows also how the last one differs from the one before. */
function drawScalar(box, display, data, settings) {
  const wanted = data.cols.findIndex((column) => column.name === settings["scalar.field"]);
  const at = wanted >= 0 ? wanted : Math.max(0, data.cols.findIndex((column, index) => numeric(column, data.rows, index)));
  const trend = display === "smartscalar" && data.rows.length > 1, value = data.rows[trend ? data.rows.length - 1 : 0]?.[at] ?? null;
  const text = make("div", { className: "big" }, make("b", {}, value === null ? "–" : writer(data, at, settings)(value)));
  const before = trend ? data.rows[data.rows.length - 2][at] : 0;
  if (before) text.append(make("span", { className: value >= before ? "up" : "down" }, `${value >= before ? "▲" : "▼"} ${number(Math.abs(value / before - 1), { number_style: "percent", decimals: 1 })}`));
  box.append(text);
}

function draw(box, card, answer, own) {
  const settings = { ...card.visualization_settings, ...own }, data = answer.data;
  if (answer.status === "failed") return box.append(make("pre", { className: "failed" }, answer.error));
  if (!data.rows.length || (data.rows.length === 1 && data.rows[0].every((value) => value === null))) return box.append(make("p", { className: "empty" }, "No results"));
  if (["scalar", "smartscalar", "progress", "gauge"].includes(card.display)) return drawScalar(box, card.display, data, settings);
  if (["line", "area", "bar", "row", "pie", "combo"].includes(card.display)) return drawChart(box, card.display === "combo" ? "bar" : card.display, data, settings);
  return drawTable(box, data, settings);
}

// --- the page ---------------------------------------------------------------------------------------------------------

async function place(dashcard, query) {
  const own = dashcard.visualization_settings || {}, card = dashcard.card;
  const style = `grid-area: ${dashcard.row + 1} / ${dashcard.col + 1} / span ${dashcard.size_y} / span ${dashcard.size_x}`;
  if (!card) return make("section", { className: `text ${own.virtual_card?.display || ""}`, style }, own.text || "");
  const box = make("div", { className: "body" });
  const head = make("h2", { title: card.description || "" }, make("a", { href: `/question/${card.id}` }, own["card.title"] || card.name));
  const section = make("section", { className: card.display, style }, head, box);
  document.getElementById("grid").append(section);
  draw(box, card, await query(dashcard), own);
}

function headed(thing, ...more) {
  const names = make("div", { className: "title" }, make("nav", {}, make("a", { href: `/collection/${thing.collection_id || "root"}` }, thing.collection?.name || "Our analytics")), make("h1", {}, thing.name), make("p", {}, thing.description || ""));
  document.getElementById("board").append(names, ...more, make("div", { id: "grid", className: thing.width || "full" }));
  document.title = `${thing.name} · ${document.title.split(" · ").pop()}`;
}

async function start() {
  charts.splice(0).forEach((chart) => chart.destroy());
  const thing = await api(`${kind === "question" ? "card" : "dashboard"}/${reference}`);
  if (kind === "question") {
    headed(thing);
    document.body.classList.add("question");
    return place({ row: 0, col: 0, size_x: 24, size_y: 11, card: thing }, () => api(`card/${thing.id}/query`, {}));
  }
  const tab = thing.tabs.find((each) => String(each.id) === address.get("tab")) || thing.tabs[0];
  const tabs = thing.tabs.map((each) => make("a", { href: `?tab=${each.id}`, className: each === tab ? "on" : "" }, each.name));
  const filters = thing.parameters.map(control);
  headed(thing, ...(tabs.length ? [make("div", { className: "tabs" }, ...tabs)] : []), ...(filters.length ? [make("div", { className: "filters" }, ...filters)] : []));
  const parameters = thing.parameters.map((each) => ({ id: each.id, type: each.type, value: valueOf(each) }));
  const query = (dashcard) => api(`dashboard/${thing.id}/dashcard/${dashcard.id}/card/${dashcard.card_id}/query`, { parameters });
  const shown = thing.dashcards.filter((each) => !tab || each.dashboard_tab_id === tab.id);
  await Promise.all(shown.map((each) => place(each, query).then((text) => text && document.getElementById("grid").append(text))));
}

Chart.defaults.font.family = "Lato, 'Helvetica Neue', Helvetica, Arial, sans-serif";
Chart.defaults.color = "#696e7b";
document.getElementById("logout").onclick = async () => { await fetch("/api/session", { method: "DELETE" }); location.href = "/auth/login"; };
start().then(() => document.body.classList.add("drawn"), (error) => document.getElementById("board").append(make("pre", { className: "failed" }, error.message)));
