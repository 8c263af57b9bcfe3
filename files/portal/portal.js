// The form to acknowledge an alert: a silence in Alertmanager, https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
const portal = document.documentElement.dataset;
for (const form of document.querySelectorAll("form.acknowledge")) {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const labels = JSON.parse(form.dataset.labels);
    const begin = new Date();
    const end = new Date(begin.getTime() + form.elements.hours.value * 3600e3);
    // Where somebody else is told later, only that stops: the message itself still says when it is over.
    if (portal.escalated.split(" ").includes(labels.severity)) labels.escalation = "true";
    const answer = await fetch("/live/silences", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        matchers: Object.entries(labels).map(([name, value]) => ({ name, value, isRegex: false, isEqual: true })),
        startsAt: begin, endsAt: end, createdBy: portal.user, comment: form.elements.comment.value,
      }),
    }).catch((error) => error);
    if (answer.ok) location.reload();
    else form.querySelector("output").textContent = answer.status ? `HTTP ${answer.status}` : answer.message;
  });
}
// The runbooks whose name or text has what is typed.
const search = document.querySelector("input[type=search]");
search?.addEventListener("input", () => {
  for (const item of document.querySelectorAll("[data-text]")) {
    item.hidden = !item.dataset.text.toLowerCase().includes(search.value.toLowerCase());
  }
});
