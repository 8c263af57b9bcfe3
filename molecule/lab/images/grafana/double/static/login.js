// Copyright: crowsnest contributors
// SPDX-License-Identifier: Apache-2.0
const form = document.getElementById("login");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({ user: form.elements.user.value, password: form.elements.password.value });
  const answer = await fetch("/login", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  const { message } = await answer.json();
  if (answer.ok) location.href = "/";
  else form.querySelector("[role=alert]").textContent = message;
});
