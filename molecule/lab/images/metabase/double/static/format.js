// Copyright: crowsnest contributors
// SPDX-License-Identifier: Apache-2.0
// Values as Metabase writes them: thousands separators, dates by their unit, and the column's own settings.
"use strict";

const NUMBERS = /Integer|Decimal|Float|Number|Quantity/;
const zone = document.body.dataset.zone;
const numeric = (column, rows, at) => NUMBERS.test(column.base_type) || (column.base_type === "type/*" && typeof rows[0]?.[at] === "number");
const temporal = (column) => /Date|Time/.test(column.base_type);

/** What visualization_settings say of one column. */
const settingsOf = (column, settings) => settings.column_settings?.[JSON.stringify(["name", column.name])] || {};
const titleOf = (column, settings) => settingsOf(column, settings).column_title || column.display_name;

function number(value, wanted) {
  const money = wanted.number_style === "currency" && { style: "currency", currency: wanted.currency || "USD" };
  const percent = wanted.number_style === "percent" && { style: "percent", maximumFractionDigits: 2 };
  const places = wanted.decimals === undefined ? {} : { minimumFractionDigits: wanted.decimals, maximumFractionDigits: wanted.decimals };
  const text = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2, ...(money || percent || {}), ...places }).format(value * (wanted.scale || 1));
  return `${wanted.prefix || ""}${text}${wanted.suffix || ""}`;
}

/** A day when all times are midnights, else the minute, in the report time zone. */
function moment(value, withTime) {
  const options = { timeZone: zone, year: "numeric", month: "short", day: "numeric", ...(withTime ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : {}) };
  return new Intl.DateTimeFormat("en-US", options).format(new Date(value));
}

const midnights = (rows, at) => rows.every((row) => row[at] === null || /T00:00:00/.test(row[at]));

/** A function that writes the values of the column at this place. */
function writer(data, at, settings) {
  const column = data.cols[at], wanted = settingsOf(column, settings);
  if (numeric(column, data.rows, at)) return (value) => (value === null ? "" : number(value, wanted));
  if (temporal(column)) { const day = midnights(data.rows, at); return (value) => (value === null ? "" : moment(value, !day)); }
  return (value) => (value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
}
