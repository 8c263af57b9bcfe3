// Copyright: crowsnest contributors
// SPDX-License-Identifier: Apache-2.0
const form = document.getElementById("login");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ username: form.elements.username.value, password: form.elements.password.value });
  const answer = await fetch("/api/session", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  if (answer.ok) location.href = (new URLSearchParams(location.search).get("redirect") || "/").replace(/^[\/\\]*/, "/");
  else form.querySelector("[role=alert]").textContent = Object.values((await answer.json()).errors || {}).join(" ");
});
