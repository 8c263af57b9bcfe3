// Copyright: crowsnest contributors
// SPDX-License-Identifier: Apache-2.0
// What Grafana makes of a value with the field configuration that a dashboard's JSON really holds: its text, its colour, its
// name, its link. Pure. tests/unit/lab_grafana compares it with what was seen on Grafana itself. Numbers and colours:
// https://github.com/grafana/grafana/tree/main/packages/grafana-data/src (valueFormats, field/displayProcessor.ts, fieldColor.ts)
"use strict";

const COLORS = { green: "#73bf69", yellow: "#fade2a", orange: "#ff9830", red: "#f2495c", blue: "#5794f2", text: "#ccccdc" };
const PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a",
  "#447ebc", "#c15c17", "#e0b400", "#56a64b", "#a352cc", "#3274d9", "#ffb357", "#19b3b3", "#ff7383"];
const color = (name) => COLORS[name] || name || COLORS.text;

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
  ms: (value, places) => (value === 0 ? "0 ms" : seconds(value / 1000, places)),
  d: (value, places) => seconds(value * 86400, places),
  bytes: powers(1024, BYTES.map((name) => ` ${name}`)),
  binBps: powers(1024, BYTES.map((name) => ` ${name}/s`)),
  reqps: powers(1000, [" req/s", "K req/s", "Mil req/s"]),
  ops: powers(1000, [" ops/s", "K ops/s", "Mil ops/s"]),
  short: powers(1000, ["", " K", " Mil", " Bil", " Tri"]),
  locale: (value, places) => grouped(value, places),
  dateTimeFromNow: (value) => (Date.now() - value < 60000 ? "a few seconds ago" : ago((Date.now() - value) / 1000, 0)),
};
const grouped = (value, places) => value.toLocaleString("en", { minimumFractionDigits: places ?? 0, maximumFractionDigits: places ?? 1 });
const written = (value, { unit = "", decimals }) => (unit.startsWith("suffix:") ? `${digits(value, decimals)} ${unit.slice(7)}`
  : unit.startsWith("currency:financial:") ? unit.slice(19) + grouped(value, decimals)
  : (UNITS[unit] || digits)(value, decimals).replace(/^1 (\w+)s( ago)?$/, "1 $1$2"));

/** What a value mapping says of a value, if one does. */
function mapped(value, mappings = []) {
  const missing = value === null || value === undefined, nan = Number.isNaN(value);
  const special = { null: missing, nan, "null+nan": missing || nan };
  for (const { type, options } of mappings) {
    const found = type === "special" ? special[options.match] && options.result : options[String(value)];
    if (found) return found;
  }
  return undefined;
}

/** The colour that the thresholds give a number; what is missing has the first one. */
function reached(value, thresholds) {
  const steps = (thresholds?.steps || []).filter((step) => step.value === null || step.value === undefined || value >= step.value);
  return color(steps.at(-1)?.color);
}

/** {text, color, named} of a number, a text or nothing, in a field with this configuration. */
function shown(value, config) {
  const base = config.color?.mode === "fixed" ? color(config.color.fixedColor) : reached(value ?? -Infinity, config.thresholds);
  const found = mapped(value, config.mappings);
  if (found) return { text: found.text, color: found.color ? color(found.color) : base, named: true };
  if (value === null || value === undefined) return { text: config.noValue ?? "", color: base };
  if (typeof value === "string") return { text: (config.unit || "").startsWith("dateTime") ? "NaN" : value, color: COLORS.text };
  return { text: Number.isNaN(value) ? "NaN" : written(value, config), color: base };
}

/** The colour of a state on a timeline: coloured by thresholds it shows these, whatever the mappings say (grafana#41075). */
function stateColor(value, config) {
  return (config.color?.mode ?? "thresholds") === "thresholds" ? reached(value, config.thresholds) : shown(value, config).color;
}

/** The colour of a line: the next one of the palette, or one that follows from its name. */
function seriesColor(mode, index, name) {
  if (mode !== "palette-classic-by-name") return PALETTE[index % PALETTE.length];
  let hash = 0;
  for (const sign of name) hash = ((hash << 5) - hash + sign.charCodeAt(0)) | 0;
  return PALETTE[Math.abs(hash) % PALETTE.length];
}

/** The configuration of one field: the defaults with what the overrides say of it. */
function configOf(panel, title) {
  const { defaults = {}, overrides = [] } = panel.fieldConfig || {};
  const own = overrides.filter(({ matcher }) => matcher.id === "byName" && matcher.options === title);
  return Object.assign({ ...defaults }, ...own.flatMap(({ properties }) => properties.map(({ id, value }) => ({ [id]: value }))));
}

/** The name of a series: its legend with the labels filled in, else all its labels. */
function seriesName(labels, legend) {
  if (legend && legend !== "__auto") return legend.replace(/\{\{\s*([\w.]+)\s*\}\}/g, (_, name) => labels[name] ?? "").trim() || "Value";
  const pairs = Object.entries(labels).filter(([name]) => name !== "__name__").map(([name, value]) => `${name}="${value}"`);
  return pairs.length ? `${labels.__name__ || ""}{${pairs.join(", ")}}` : labels.__name__ || "Value";
}

/** The name beside a bar: a single one has none unless its configuration says one. */
function barName({ name, labels }, config, count) {
  if (!config.displayName) return count > 1 ? name : "";
  return config.displayName.replace(/\$\{__field\.labels\.(\w+)\}/g, (_, label) => labels[label] ?? "");
}

/** A row of a table as it is drawn: {label: {text, color, named}}; links are made of these texts. */
function rowOf(panel, row) {
  const titles = panel.transformations.find((each) => each.id === "organize").options.renameByName;
  return Object.fromEntries(Object.keys(titles).map((name) => [name, shown(row[name], configOf(panel, titles[name]))]));
}

/** The first link of a panel, with the labels of a series or the texts of a row in it. */
function linkOf(panel, labels) {
  const link = (panel.fieldConfig?.defaults?.links || [])[0];
  return link && link.url.replace(/\$\{__(?:field\.labels|data\.fields)\.(\w+)\}/g, (_, name) => encodeURIComponent(labels[name] ?? ""));
}

if (typeof module !== "undefined") module.exports = { shown, stateColor, seriesColor, configOf, barName, rowOf, linkOf, seriesName };
