// What pages do beyond being read: say whether they are live, and draw charts. Nothing of it is needed to act.
"use strict";

const state = () => document.getElementById("live-state");
const live = () => document.getElementById("live");

function say(text) {
  const place = state();
  if (place && place.textContent !== text) place.textContent = text;
}

document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.requestConfig.elt !== live()) return;
  say(event.detail.successful ? "live" : "the console does not answer; trying again");
});
document.body.addEventListener("htmx:sendError", () => say("the console does not answer; trying again"));

// Polling replaces the live part: not while nobody looks, or somebody selects
// text in it or has the keyboard there.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.requestConfig.elt !== live()) return;
  const held = live().contains(document.activeElement) && document.activeElement !== document.body;
  if (document.hidden || held || !document.getSelection().isCollapsed) event.preventDefault();
});

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const SERIES = ["accent", "second", "third", "fourth"];

// Hours and minutes in UTC, as everywhere in the console; with seconds where the chart is short.
function clock(seconds, isShort) {
  return new Date(seconds * 1000).toISOString().slice(11, isShort ? 19 : 16);
}

function draw(place) {
  const given = JSON.parse(place.dataset.chart);
  const isShort = given.time && given.x[given.x.length - 1] - given.x[0] < 300;
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
  const options = {
    width: place.clientWidth,
    height: 160,
    cursor: { drag: { x: false, y: false } },
    legend: { show: given.series.length > 1, live: false },
    scales: { x: { time: given.time }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, space: 80, values: given.time ? (_, ticks) => ticks.map((at) => clock(at, isShort)) : undefined },
      { ...axis, size: 56 },
    ],
    series: [{}, ...given.series.map((name, at) => ({
      label: name, stroke: colour(SERIES[at % SERIES.length]), width: 1.5, points: { show: given.x.length < 2 },
      dash: at ? [6, 3 * at] : undefined,
    }))],
  };
  place.replaceChildren();
  place.chart = new uPlot(options, [given.x, ...given.values], place);
}

function drawAll() {
  document.querySelectorAll("[data-chart]").forEach((place) => { if (!place.chart) draw(place); });
}

document.body.addEventListener("htmx:afterSwap", drawAll);
addEventListener("resize", () => document.querySelectorAll("[data-chart]").forEach((place) => {
  place.chart?.setSize({ width: place.clientWidth, height: 160 });
}));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.querySelectorAll("[data-chart]").forEach((place) => { place.chart?.destroy(); draw(place); });
});
drawAll();
