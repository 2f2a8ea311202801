"use strict";
// The plane of two inputs: which label is where and how sure, and on which side of every hidden line. It knows
// nothing but the specification and the parameters; shares of the box are counted on a grid.

const PALETTE = ["#9ecae1", "#fdae6b", "#a1d99b", "#bcbddc", "#fdd0a2", "#d9d9d9"];
const ENDS = [[33, 102, 172], [247, 247, 247], [178, 24, 43]];
function ramp(t) {
  const [b, m, r] = ENDS, [u, v, q] = t < 0.5 ? [b, m, 2 * t] : [m, r, 2 * t - 1];
  return `rgb(${u.map((a, k) => Math.round(a + (v[k] - a) * q)).join()})`;
}
const likeliest = (p) => p.indexOf(Math.max(...p));
const tint = (p) => (p.length === 2 ? ramp(p[1]) : PALETTE[likeliest(p) % PALETTE.length]);
function dots(painter, l, place) { // the samples, each label in its own grey
  l.inputs.forEach((row, d) => {
    const t = l.spec.targets[d], [x, y] = place(row);
    painter.beginPath(); painter.arc(x, y, l.inputs.length > 30 ? 3 : 5, 0, 7);
    painter.fillStyle = typeof t === "number" ? ["#fff", "#000", "#888", "#444"][t % 4] : "#fff"; painter.fill();
    painter.lineWidth = 1; painter.strokeStyle = "#000"; painter.stroke();
  });
}
function cross(painter, x, y) {
  painter.strokeStyle = "#000"; painter.lineWidth = 2;
  painter.beginPath(); painter.moveTo(x - 8, y); painter.lineTo(x + 8, y); painter.moveTo(x, y - 8); painter.lineTo(x, y + 8); painter.stroke();
}
function steer(canvas, size, move, step) { // drag, or the arrow keys
  let held = false;
  const drag = (e) => { const box = canvas.getBoundingClientRect(); move(((e.clientX - box.left) * size) / box.width, ((e.clientY - box.top) * size) / box.height); };
  canvas.addEventListener("pointerdown", (e) => { held = true; canvas.setPointerCapture(e.pointerId); drag(e); });
  canvas.addEventListener("pointermove", (e) => { if (held) drag(e); });
  canvas.addEventListener("pointerup", () => { held = false; });
  canvas.addEventListener("keydown", (e) => {
    const d = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (d) { e.preventDefault(); e.stopPropagation(); step(d[0] * size / 40, d[1] * size / 40); }
  });
}

// Hidden lines a x + b y + c = 0, one for each node of the first layer.
function hiddenLines(l, theta) {
  const weight = l.blocks.find((b) => b.kind === "W" && b.layer === 1), bias = l.blocks.find((b) => b.kind === "b" && b.layer === 1);
  return Array.from({ length: weight.shape[0] }, (_, i) => [theta[weight.offset + 2 * i], theta[weight.offset + 2 * i + 1], bias ? theta[bias.offset + i] : 0]);
}
// The cells that lines cut out of the plane, in the order of `symland geometry`: a new line splits the cells that its
// pieces between earlier lines lie in. Each cell keeps a point inside. Lines that differ by less than TWIN count as
// one, as floating point cannot tell what is between them.
const TWIN = 1e-9;
function planeCells(lines) {
  const standard = lines.map(([a, b, c]) => { const f = Math.hypot(a, b) * Math.sign(a || b); return f ? [a / f, b / f, c / f] : null; });
  const distinct = [];
  for (const p of standard) if (p && !distinct.some((q) => q.every((v, i) => Math.abs(v - p[i]) <= TWIN * (1 + Math.abs(p[2]))))) distinct.push(p);
  const value = ([a, b, c], x) => a * x[0] + b * x[1] + c;
  let found = [{ key: "", at: [0, 0] }];
  distinct.forEach((line, k) => {
    const [a, b, c] = line, earlier = distinct.slice(0, k), foot = [-a * c, -b * c];
    const on = (t) => [foot[0] - t * b, foot[1] + t * a], rate = ([p, q]) => q * a - p * b;
    const cuts = earlier.filter(rate).map((h) => -value(h, foot) / rate(h)).sort((s, t) => s - t);
    const apart = cuts.filter((t, i) => !i || t - cuts[i - 1] > 1e-12 * (1 + Math.abs(t))), last = apart.length - 1;
    const stops = last < 0 ? [0] : [apart[0] - 1 - Math.abs(apart[0]), ...apart.slice(1).map((t, i) => (t + apart[i]) / 2), apart[last] + 1 + Math.abs(apart[last])];
    const split = new Map(stops.map((t) => [signsAt(earlier, on(t)), on(t)]));
    found = found.flatMap((cell) => {
      const x = split.get(cell.key);
      if (!x) return [{ key: cell.key + (value(line, cell.at) > 0 ? "+" : "-"), at: cell.at }];
      let step = 1; // so short that no earlier line is crossed
      for (const h of earlier) { const r = Math.abs(h[0] * a + h[1] * b); if (r) step = Math.min(step, Math.abs(value(h, x)) / (2 * r)); }
      return [1, -1].map((s) => ({ key: cell.key + (s > 0 ? "+" : "-"), at: [x[0] + s * step * a, x[1] + s * step * b] }));
    });
  });
  return { cells: found.map((cell) => ({ key: cell.key, signs: signsAt(lines, cell.at) })), keyAt: (x) => signsAt(distinct, x), twins: standard.filter(Boolean).length - distinct.length };
}
function signsAt(lines, [x, y]) {
  let text = "";
  for (const [a, b, c] of lines) { const v = a * x + b * y + c; text += v > 0 ? "+" : v < 0 ? "-" : "0"; }
  return text;
}

// The box of the map: that of the data, with half its side added at each end, as in `symland geometry`.
function mapBox(l) {
  return [0, 1].map((k) => { const v = l.inputs.map((row) => row[k]), low = Math.min(...v), high = Math.max(...v), rim = ((high - low) || 1) / 2; return [low - rim, high + rim]; });
}

// What the network says on a grid of n points a side, row by row from the top: probabilities, label, cell.
let surveyed = null; // the last class that was drawn, with its picture
function ground(l, c, cellOf) {
  if (surveyed !== null && surveyed.c === c) return surveyed;
  const picture = h("canvas", { width: SIDE, height: SIDE }), g = picture.getContext("2d"), unit = SIDE / GRID, spots = survey(l, c, GRID, cellOf);
  for (const v of spots) { g.fillStyle = tint(v.p); g.fillRect(v.i * unit, v.j * unit, unit, unit); }
  return (surveyed = { c, spots, picture });
}
function survey(l, c, n, cellOf) {
  const run = network(l, c.theta), [[x0, x1], [y0, y1]] = mapBox(l), spots = [];
  for (let j = 0; j < n; j++) for (let i = 0; i < n; i++) {
    const x = [x0 + ((i + 0.5) / n) * (x1 - x0), y1 - ((j + 0.5) / n) * (y1 - y0)], signals = run(x), p = chances(l, signals[signals.length - 1]);
    spots.push({ i, j, x, p, top: Math.max(...p), label: likeliest(p), cell: cellOf ? cellOf(x) : null });
  }
  return spots;
}

function whyNoRegions(l) {
  if (l.spec.loss === "squared") return "This landscape is of a regression: it has no labels, and so no regions.";
  const n = l.inputs[0].length;
  return n === 2 ? null : `This landscape has ${n} input${n === 1 ? "" : "s"}: the map needs two. symland geometry lists cells and counts regions in up to six.`;
}

const SIDE = 400, GRID = 100, THUMBS = 24;
function regionsView() {
  const l = land(), c = point(), why = whyNoRegions(l);
  if (why) return h("p", { text: why });
  if (c.theta.some((t) => t === null)) return h("p", { text: "The weights of this class are not finite numbers." });
  const lines = hiddenLines(l, c.theta), plane = planeCells(lines), number = new Map(plane.cells.map((cell, k) => [cell.key, k + 1]));
  const { spots, picture } = ground(l, c, plane.keyAt), unit = SIDE / GRID, [[x0, x1], [y0, y1]] = mapBox(l);
  const place = ([x, y]) => [((x - x0) / (x1 - x0)) * SIDE, ((y1 - y) / (y1 - y0)) * SIDE];
  const where = (px, py) => [x0 + (px / SIDE) * (x1 - x0), y1 - (py / SIDE) * (y1 - y0)];
  const run = network(l, c.theta), labels = chances(l, run([x0, y0]).at(-1)).map((_, k) => k), percent = (k) => `${short((100 * k) / spots.length, 3)} %`;
  if (!state.probe || state.probe.length !== 2) state.probe = l.inputs[l.inputs.length - 1].slice();

  const found = new Map();
  for (const v of spots) { if (!found.has(v.cell)) found.set(v.cell, []); found.get(v.cell).push(v); }
  const centre = (list) => [0, 1].map((k) => list.reduce((sum, v) => sum + v.x[k], 0) / list.length); // cells are convex
  const canvas = h("canvas", { width: SIDE, height: SIDE, id: "regions", role: "img", tabindex: 0, "aria-describedby": "regions-said",
    "aria-label": "Map of the labels over two inputs, with hidden lines and numbered cells; move the cross with the mouse or the arrow keys" });
  const painter = canvas.getContext("2d"), sure = h("output", { id: "sure" }), said = h("output", { id: "regions-said" });
  const listing = table(["cell", "signs", "labels", "share of the box", "not sure"], []), body = listing.tBodies[0];
  const slider = h("input", { type: "range", id: "level", min: 1, max: 49, step: 1, value: Math.round(100 * state.level), "aria-describedby": "sure",
    oninput: (e) => { state.level = e.target.value / 100; shade(); } });

  const unsure = (v) => v.top <= 1 - state.level;
  const paint = () => {
    painter.drawImage(picture, 0, 0);
    painter.fillStyle = stripes();
    for (const v of spots) if (unsure(v)) painter.fillRect(v.i * unit, v.j * unit, unit, unit);
    for (const [a, b, k] of lines) {
      const ends = Math.abs(a) * (x1 - x0) > Math.abs(b) * (y1 - y0) ? [y0, y1].map((y) => [-(b * y + k) / a, y]) : [x0, x1].map((x) => [x, -(a * x + k) / b]);
      if (!a && !b) continue;
      for (const [width, colour] of [[4, "rgba(255,255,255,.8)"], [1.6, "#000"]]) {
        painter.lineWidth = width; painter.strokeStyle = colour; painter.beginPath();
        painter.moveTo(...place(ends[0])); painter.lineTo(...place(ends[1])); painter.stroke();
      }
    }
    dots(painter, l, place);
    painter.font = "bold 14px system-ui, sans-serif"; painter.textAlign = "center"; painter.textBaseline = "middle";
    for (const [key, list] of found) {
      let [x, y] = place(centre(list));
      if (l.inputs.some((row) => Math.hypot(...place(row).map((v, k) => v - [x, y][k])) < 12)) y -= 15; // beside the sample
      const text = String(number.get(key) ?? "?");
      painter.lineWidth = 4; painter.strokeStyle = "rgba(255,255,255,.85)"; painter.strokeText(text, x, y); painter.fillStyle = "#000"; painter.fillText(text, x, y);
    }
    cross(painter, ...place(state.probe));
  };
  const shade = () => {
    const band = spots.filter(unsure).length, a = Math.round(100 * state.level);
    sure.textContent = ` a = ${a} %: ${percent(band)} of the box has no label above ${100 - a} %; above it: ${labels.map((k) => `label ${k} on ${percent(spots.filter((v) => v.label === k && !unsure(v)).length)}`).join(", ")}`;
    slider.setAttribute("aria-valuetext", `a = ${a} percent`);
    body.replaceChildren(...plane.cells.map(({ key, signs }, k) => {
      const list = found.get(key) || [], seen = [...new Set(list.map((v) => v.label))].sort();
      const at = list.length ? h("button", { type: "button", "data-cell": k + 1, text: k + 1, "aria-label": `cross to cell ${k + 1}`, onclick: () => move(centre(list)) }) : String(k + 1);
      return h("tr", {}, cells([at, signs, seen.join(", ") || "outside the map", percent(list.length), percent(list.filter(unsure).length)]));
    }));
    move(state.probe);
  };
  const move = (x) => {
    state.probe = x.slice();
    const p = chances(l, run(x).at(-1)), k = likeliest(p), key = plane.keyAt(x);
    said.textContent = `x = (${x.map((v) => short(v, 4)).join(", ")}): label ${k} with probability ${short(p[k], 5)}, ${p[k] > 1 - state.level ? "sure" : "not sure"}; ` +
      `${number.has(key) ? `cell ${number.get(key)}` : "on a line"}, signs ${signsAt(lines, x)}`;
    paint();
  };
  steer(canvas, SIDE, (px, py) => move(where(px, py)), (dx, dy) => { const [px, py] = place(state.probe); move(where(px + dx, py + dy)); });
  shade();
  return [
    h("div", { class: "thumbs", role: "group", "aria-label": "Classes" }, nearby(l).map((v) => thumb(l, v))),
    h("p", {}, h("label", {}, "Confidence ", slider), sure), canvas, h("p", {}, said),
    h("p", { class: "soft", text: `x1 from ${short(x0, 4)} to ${short(x1, 4)}, x2 from ${short(y0, 4)} to ${short(y1, 4)}. ${l.inputs.length} samples (dots), lines where the argument of a hidden node is 0, numbered cells; ` +
      `${labels.length === 2 ? "red is label 1, blue label 0" : "one tint for each label"}; striped where no label is above 1 - a. Shares are counted on ${GRID} by ${GRID} points.` +
      (plane.twins ? ` ${plane.twins} of the lines lie on another within ${TWIN}, and are counted with it.` : "") }),
    h("h3", { text: `Cells: ${plane.cells.length}` }), h("div", { class: "scroll" }, listing)];
}
function stripes() { // told from any tint
  const tile = h("canvas", { width: 8, height: 8 }), t = tile.getContext("2d");
  t.fillStyle = "rgba(255,255,255,.3)"; t.fillRect(0, 0, 8, 8);
  for (const [width, ink] of [[3, "rgba(255,255,255,.6)"], [1.2, "rgba(0,0,0,.75)"]]) {
    t.lineWidth = width; t.strokeStyle = ink; t.beginPath();
    for (const k of [-8, 0, 8]) { t.moveTo(k - 2, 10); t.lineTo(k + 10, -2); }
    t.stroke();
  }
  return t.createPattern(tile, "repeat");
}
function nearby(l) { // classes around the chosen one, by number
  const first = Math.max(0, Math.min(state.pick - THUMBS / 2, l.classes.length - THUMBS));
  return l.classes.slice(first, first + THUMBS).filter((c) => !c.theta.some((t) => t === null));
}
const THUMBNAILS = new WeakMap();
function thumb(l, c) { // a small map of one class, to be chosen
  if (!THUMBNAILS.has(c)) {
    const n = 16, made = h("canvas", { width: 48, height: 48, "aria-hidden": true }), g = made.getContext("2d"), unit = 48 / n;
    for (const v of survey(l, c, n)) { g.fillStyle = tint(v.p); g.fillRect(v.i * unit, v.j * unit, unit, unit); }
    THUMBNAILS.set(c, made);
  }
  const canvas = THUMBNAILS.get(c);
  return h("button", { type: "button", class: c.number === state.pick ? "pick" : null, "data-class": c.number, "aria-pressed": String(c.number === state.pick), "aria-label": label(c), title: label(c),
    onclick: () => { choose(c.number); const again = document.querySelector(`.thumbs [data-class="${c.number}"]`); if (again) again.focus(); } }, canvas, String(c.number));
}
