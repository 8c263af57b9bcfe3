// Copyright: crowsnest contributors
// SPDX-License-Identifier: Apache-2.0
// One collection and what is in it.
const place = location.pathname.split("/")[2]?.split("-")[0] || "root";
const read = (path) => fetch(`/api/${path}`).then((answer) => answer.json());
const make = (tag, attributes = {}, ...children) => { const node = Object.assign(document.createElement(tag), attributes); node.append(...children); return node; };
const PAGES = { card: "question", dashboard: "dashboard", collection: "collection" };
const MARKS = { card: "▤", dashboard: "▦", collection: "▢" };

document.getElementById("logout").onclick = async () => { await fetch("/api/session", { method: "DELETE" }); location.href = "/auth/login"; };
Promise.all([read(`collection/${place}`), read(`collection/${place}/items`)]).then(([collection, items]) => {
  const order = Object.keys(PAGES).reverse();
  const rows = items.data.sort((a, b) => order.indexOf(a.model) - order.indexOf(b.model)).map((item) => make("li", {},
    make("span", { className: `mark ${item.model}` }, MARKS[item.model]),
    make("a", { href: `/${PAGES[item.model]}/${item.id}` }, item.name), make("p", {}, item.description || "")));
  const crumbs = (collection.effective_ancestors || []).map((each) => make("a", { href: `/collection/${each.id}` }, `${each.name} / `));
  document.getElementById("list").append(make("nav", {}, ...crumbs), make("h1", {}, collection.name),
    make("p", {}, collection.description || ""), make("ul", {}, ...(rows.length ? rows : [make("li", {}, "Nothing here yet")])));
});
