// Filter and sort what the page holds already. "/" goes to the search, Escape clears it, arrows move between features.
const controls = document.getElementById("controls");
const list = document.getElementById("features");
const features = [...list.querySelectorAll("details")];
const text = new Map(features.map((one) => [one, one.textContent.toLowerCase()]));
const field = (name) => document.getElementById(name);
const orders = {
  declared: () => 0,
  name: (a, b) => a.id.localeCompare(b.id),
  drift: (a, b) => b.dataset.drift - a.dataset.drift,
  importance: (a, b) => b.dataset.importance - a.dataset.importance,
};

function show() {
  const words = field("search").value.toLowerCase().split(/\s+/);
  let shown = 0;
  for (const one of features) {
    const fits = ["group", "unit", "nullable"].every((name) => !field(name).value || field(name).value === one.dataset[name])
      && words.every((word) => text.get(one).includes(word));
    one.hidden = !fits;
    shown += fits;
  }
  list.append(...features.toSorted(orders[field("order").value]));
  field("count").textContent = `${shown} of ${features.length} features`;
}

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named?.matches("details")) {
    named.open = true;
    named.scrollIntoView();
  }
}

controls.hidden = false;
controls.addEventListener("input", show);
document.addEventListener("keydown", (event) => {
  const search = field("search");
  if (event.key === "/" && !event.target.matches("input, select")) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && event.target === search) {
    search.value = "";
    show();
  } else if (event.key.startsWith("Arrow") && event.target.matches("summary, #search")) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const summaries = [...list.querySelectorAll("details:not([hidden]) > summary")];
    const next = summaries[summaries.indexOf(event.target) + step];
    event.preventDefault();
    (next ?? (step < 0 ? search : event.target)).focus();
  }
});
addEventListener("hashchange", openNamed);
show();
openNamed();
