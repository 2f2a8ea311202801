"use strict";
// The atlas: one page, no request. The address says what is shown: #/LANDSCAPE/VIEW/CLASS.

const DATA = JSON.parse(document.getElementById("data").textContent);
const LANDS = DATA.landscapes;
const $ = (id) => document.getElementById(id);
const state = { land: 0, view: "tree", pick: 0, tree: 0, answer: 0, probe: null, log: false, at: null, level: 0.1 };

// Elements ----------------------------------------------------------------------------------------------------------

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(9)) if (child !== null && child !== undefined) node.append(child);
  return node;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const NAMES = ["minimum", "transition state"];
const nameOf = (k) => NAMES[k] || `saddle of index ${k}`;
const counted = (n, k) => `${n} ${k > 1 ? `index ${k}` : [["minimum", "minima"], ["transition state", "transition states"]][k][n === 1 ? 0 : 1]}`;
const colour = (k) => `var(--i${k < 6 ? k : "x"})`;
const land = () => LANDS[state.land];
const point = () => land().classes[state.pick];
const short = (x, n = 6) => (x === null ? "not finite" : Number(x).toPrecision(n).replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, ""));
const href = (l, view, pick) => `#/${l}/${view}${pick === undefined ? "" : "/" + pick}`;
const show = (view, pick = state.pick, l = state.land) => { location.hash = href(l, view, pick); route(); };
const choose = (n) => show(state.view === "overview" ? "tree" : state.view, n);
function pickable(n, label) {
  return { "data-class": n, tabindex: 0, role: "button", "aria-label": label, onclick: () => choose(n),
    onkeydown: (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); choose(n); } } };
}
const label = (c) => `class ${c.number}, ${nameOf(c.index)}, loss ${short(c.loss, 8)}`;

function mark(k, x, y, r, attributes) {
  const at = { fill: colour(k), ...attributes };
  const poly = (points) => s("polygon", { points: points.map(([a, b]) => `${x + a * r},${y + b * r}`).join(" "), ...at });
  switch (k) {
    case 0: return s("circle", { cx: x, cy: y, r, ...at });
    case 1: return poly([[0, -1.2], [1.1, 0.9], [-1.1, 0.9]]);
    case 2: return s("rect", { x: x - r * 0.9, y: y - r * 0.9, width: 1.8 * r, height: 1.8 * r, ...at });
    case 3: return poly([[0, -1.3], [1.1, 0], [0, 1.3], [-1.1, 0]]);
    case 4: return poly([[0, 1.2], [1.1, -0.9], [-1.1, -0.9]]);
    default: return poly([[-0.4, -1.1], [0.4, -1.1], [0.4, -0.4], [1.1, -0.4], [1.1, 0.4], [0.4, 0.4], [0.4, 1.1], [-0.4, 1.1], [-0.4, 0.4], [-1.1, 0.4], [-1.1, -0.4], [-0.4, -0.4]]);
  }
}

function table(heads, rows, attributes) {
  return h("table", attributes, h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col", text })))), h("tbody", {}, rows));
}
// Numbers, with what belongs to them, stand on the right; what begins with a number and goes on in words is text.
const numeric = (t) => /^[-+\d.[]/.test(t) && !/[a-z]{4}/.test(t);
const cells = (texts) => texts.map((t) => (t instanceof Node ? h("td", {}, t) : h("td", { class: numeric(t) ? "number" : null, text: t })));

// Certified digits are those on which both ends of an enclosure agree.
function digits(text, enclosure) {
  if (!enclosure) return h("span", { text });
  const [low, high] = enclosure;
  let k = 0;
  while (k < low.length && low[k] === high[k]) k++;
  return h("span", { title: `proved: between ${low} and ${high}` },
    h("span", { class: "sure", text: low.slice(0, k) }), low.slice(k), h("span", { class: "soft", text: ` … ${high.slice(k)}` }));
}

// The network, run in the page --------------------------------------------------------------------------------------

const FUNCTIONS = {
  exp: Math.exp, log: Math.log, tanh: Math.tanh, sin: Math.sin, cos: Math.cos, sqrt: Math.sqrt,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)), softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), erf,
};
function erf(x) { // series near 0, continued fraction far out
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) { let t = a, sum = a; for (let n = 1; n < 80; n++) { t *= -a * a / n; sum += t / (2 * n + 1); } return Math.sign(x) * 2 / Math.sqrt(Math.PI) * sum; }
  let f = 0; for (let n = 60; n > 0; n--) f = n / 2 / (a + f);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + f)));
}
function compile(node) {
  const [op, ...parts] = node;
  if (op === "z") return (z) => z;
  if (op === "number") return () => parts[0];
  const f = parts.map(compile);
  switch (op) {
    case "add": return (z) => f[0](z) + f[1](z);
    case "sub": return (z) => f[0](z) - f[1](z);
    case "mul": return (z) => f[0](z) * f[1](z);
    case "div": return (z) => f[0](z) / f[1](z);
    case "power": return (z) => Math.pow(f[0](z), f[1](z));
    case "neg": return (z) => -f[0](z);
    default: { const g = FUNCTIONS[op]; return (z) => g(f[0](z)); }
  }
}
function network(l, theta) {
  const sigma = compile(l.activation), layers = [];
  for (const b of l.blocks) {
    const layer = (layers[b.layer - 1] ||= {});
    layer[b.kind] = { offset: b.offset, rows: b.shape[0], columns: b.shape[1] };
  }
  return (x) => {
    const signals = [x];
    layers.forEach((layer, k) => {
      const { offset, rows, columns } = layer.W, below = signals[k], out = new Array(rows);
      for (let i = 0; i < rows; i++) {
        let sum = layer.b ? theta[layer.b.offset + i] : 0;
        for (let j = 0; j < columns; j++) sum += theta[offset + i * columns + j] * below[j];
        out[i] = k < layers.length - 1 ? sigma(sum) : sum;
      }
      signals.push(out);
    });
    return signals;
  };
}
function chances(l, z) { // probabilities of the classes, or null for a regression
  if (l.spec.loss === "squared") return null;
  if (l.spec.loss === "logistic") { const p = FUNCTIONS.sigmoid(z[0]); return [1 - p, p]; }
  const top = Math.max(...z), e = z.map((v) => Math.exp(v - top)), sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}

// Views -------------------------------------------------------------------------------------------------------------

function overview() {
  const rows = LANDS.map((l, k) => h("tr", { class: k === state.land ? "pick" : null }, cells([
    h("a", { href: href(k, "tree", 0), text: l.name }), l.spec.hidden.join("-"), l.penalty, l.data, l.counts.join(" "), l.copies.join(" "),
    String(l.morse_sum), l.classes.length ? short(Math.min(...l.classes.map((c) => c.loss)), 8) : "-", l.wording])));
  const widths = [...new Set(LANDS.map((l) => l.spec.hidden.join("-")))], sets = [...new Set(LANDS.map((l) => l.data))];
  const penalties = [...new Map(LANDS.map((l) => [l.penalty, l.penalty_value])).entries()].sort((a, b) => b[1] - a[1]);
  const grids = LANDS.length < 2 ? [] : sets.map((set) => h("section", { class: "panel wide grid" },
    h("h2", { text: `Classes by index: ${set}` }),
    table(["hidden", ...penalties.map(([text]) => `λ = ${text}`)], widths.map((w) => h("tr", {}, h("th", { scope: "row", text: w }),
      penalties.map(([text]) => {
        const k = LANDS.findIndex((l) => l.data === set && l.penalty === text && l.spec.hidden.join("-") === w);
        return h("td", {}, k < 0 ? "" : h("a", { href: href(k, "tree", 0), text: LANDS[k].counts.join(" ") || "none" }));
      }))))));
  return [h("section", { class: "panel" }, h("h2", { text: "Landscapes" }),
    table(["name", "hidden", "λ", "data", "classes by index", "copies", "Morse sum", "lowest loss", "what is known"], rows)), ...grids];
}

function axis(low, high, height, top, log) {
  const f = log ? Math.log10 : (v) => v, a = f(low), b = f(high), span = b - a || 1;
  const y = (v) => top + (height * (b - f(v))) / span;
  const step = Math.pow(10, Math.floor(Math.log10(span / 4))), wide = [1, 2, 5, 10].map((m) => m * step).find((d) => span / d <= 7);
  const ticks = [];
  for (let t = Math.ceil(a / wide) * wide; t <= b + 1e-12 * span; t += wide) ticks.push(log ? Math.pow(10, t) : t);
  return { y, ticks };
}

function treeView() {
  const l = land(), tree = l.trees[Math.min(state.tree, l.trees.length - 1)];
  if (!tree) return h("p", { text: "No minimum is listed, so there is no tree." });
  const n = tree.nodes, leaves = n.filter((v) => v.minimum !== null).length, losses = n.map((v) => v.loss);
  const low = Math.min(...losses), high = Math.max(...losses), log = state.log && low > 0;
  const W = Math.max(560, Math.min(2400, leaves * 14)), H = 430, left = 66, top = 16;
  const { y, ticks } = axis(low, high === low ? low + Math.max(1e-3, Math.abs(low) * 0.1) : high, H - 70, top, log);
  const xs = n.map((v) => v.x), least = Math.min(...xs), wide = Math.max(...xs) - least || 1;
  const x = (v) => left + 14 + ((W - left - 40) * (v - least)) / wide;
  const lines = n.map((v) => {
    const p = v.parent === null ? null : n[v.parent];
    return p ? `M${x(v.x)},${y(v.loss)}V${y(p.loss)}H${x(p.x)}` : `M${x(v.x)},${y(v.loss)}V${Math.max(4, y(v.loss) - 12)}`;
  });
  const picked = (c) => (c === state.pick ? "pick" : null);
  return [
    l.pathways.length || leaves < 2 ? null : h("p", { class: "soft", text: "No pathways are stored for this landscape, so nothing is joined: see symland connect --help." }),
    h("div", {}, l.trees.length > 1 ? h("label", {}, "Leaves ", h("select", { id: "leaves", onchange: (e) => { state.tree = +e.target.value; draw(); } },
      l.trees.map((t, k) => h("option", { value: k, selected: k === state.tree, text: t.name })))) : null, " ",
      h("label", {}, h("input", { type: "checkbox", id: "log", checked: state.log, onchange: (e) => { state.log = e.target.checked; draw(); } }), " logarithmic loss")),
    h("div", { class: "scroll" }, s("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": "Disconnectivity tree", style: "max-width:none" },
      ticks.map((t) => [s("line", { class: "axis", x1: left, x2: W, y1: y(t), y2: y(t) }), s("text", { x: left - 6, y: y(t) + 4, "text-anchor": "end", text: short(t, 4) })]),
      s("path", { class: "branch", d: lines.join("") }),
      n.map((v) => v.minimum === null
        ? v.transition_states.slice(0, 1).map((t) => mark(1, x(v.x), y(v.loss), 4.5, { class: v.transition_states.includes(state.pick) ? "pick" : null, ...pickable(t, label(l.classes[t])) }))
        : [mark(0, x(v.x), y(v.loss), leaves > 80 ? 3 : 5, { class: picked(v.minimum), ...pickable(v.minimum, label(l.classes[v.minimum])) }),
          leaves > 80 ? null : s("text", { x: x(v.x), y: y(v.loss) + 18, "text-anchor": "middle", text: v.minimum })])))];
}

let sorting = ["number", 1], from = null;
const ROWS = 150; // of the list at once: more would make it slow
function listView() {
  const l = land(), query = $("search").value.trim().toLowerCase();
  const by = { number: (c) => c.number, loss: (c) => c.loss, index: (c) => c.index, copies: (c) => Number(c.orbit) }[sorting[0]];
  const found = l.classes.filter((c) => matches(c, query)).sort((a, b) => sorting[1] * (by(a) - by(b) || a.number - b.number));
  const place = Math.max(0, found.findIndex((c) => c.number === state.pick));
  const first = Math.max(0, Math.min(from === null ? place - 40 : from, found.length - ROWS)), rows = found.slice(first, first + ROWS);
  const turn = (to, text) => h("button", { type: "button", text, onclick: () => { from = to; draw(); from = null; } });
  const head = (text, key) => h("th", { scope: "col", "aria-sort": sorting[0] === key ? (sorting[1] > 0 ? "ascending" : "descending") : null },
    h("button", { text, onclick: () => { sorting = [key, sorting[0] === key ? -sorting[1] : 1]; draw(); } }));
  return [h("p", { class: "soft" }, `${found.length} of ${l.classes.length} classes `, rows.length < found.length
    ? [`(${first + 1} to ${first + rows.length}) `, turn(first - ROWS, "before"), " ", turn(first + ROWS, "after")] : null), h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, head("class", "number"), head("index", "index"), head("loss", "loss"), head("copies", "copies"), h("th", { text: "certified" }), h("th", { text: "what it is" }))),
    h("tbody", {}, rows.map((c) => h("tr", { "data-class": c.number, class: c.number === state.pick ? "pick" : null, onclick: () => choose(c.number) },
      h("td", { class: "number" }, h("a", { href: href(state.land, "list", c.number), text: c.number })),
      h("td", {}, s("svg", { width: 14, height: 14, "aria-hidden": true, style: "display:inline;vertical-align:-2px" }, mark(c.index, 7, 7, 5)), ` ${c.index}`),
      h("td", { class: "number", text: c.loss_text }), h("td", { class: "number", text: c.orbit }), h("td", { text: c.certified ? "yes" : "no" }), h("td", { text: c.label || "" }))))))];
}
function matches(c, query) {
  return query.split(/\s+/).every((word) => !word || String(c.number) === word || nameOf(c.index).includes(word) || counted("", c.index).includes(word) ||
    (c.label || "").toLowerCase().includes(word) || c.loss_text.startsWith(word) || (word === "certified" && c.certified));
}

function card(n = state.pick) {
  const c = land().classes[n];
  if (!c) return h("p", { text: "No such class." });
  const z = c.certificate, facts = [
    ["loss", digits(c.loss_text, c.enclosure)],
    ["index", `${c.index} (${nameOf(c.index)})`],
    ["copies", c.orbit],
    ["outcome", `${c.outcome}${c.nullity ? `, ${c.nullity} zero eigenvalues` : ""}`],
    ["gradient", `${short(c.gradient_norm, 3)} (largest component)`],
    c.label ? ["what it is", c.label] : null,
    c.refined ? ["refined", `${c.refined.digits} certified digits, residual ${c.refined.residual}`] : null,
    z ? ["certificate", h("span", {}, `existence ${z.existence}, uniqueness ${z.uniqueness}, index ${z.index}`)] : ["certificate", "none"],
    z && z.inclusion_radius ? ["inclusion radius", z.inclusion_radius] : null,
    z && z.uniqueness_radius ? ["uniqueness radius", z.uniqueness_radius] : null,
    z ? ["decided at", `${z.precision} bits`] : null,
    z ? ["digest", h("span", { class: "code", text: z.seal })] : null,
    z && z.reason ? ["open", z.reason] : null,
  ].filter(Boolean);
  return [h("h2", {}, s("svg", { width: 16, height: 16, "aria-hidden": true, style: "display:inline;vertical-align:-2px" }, mark(c.index, 8, 8, 6)), ` Class ${c.number} `,
    h("span", { class: "badge", text: c.certified ? "certified" : "not certified" })),
  h("dl", {}, facts.map(([k, v]) => [h("dt", { text: k }), h("dd", {}, v)])),
  h("h3", { text: "Spectrum" }), spectrum(c),
  h("details", {}, h("summary", { text: "Eigenvalues" }), h("p", { class: "code" }, c.spectrum.map((w, k) => [k ? ", " : "", z && z.eigenvalues[k] ? digits(String(w), z.eigenvalues[k]) : String(w)]))),
  h("details", {}, h("summary", { text: "Weights" }), h("div", { class: "scroll" }, table(["parameter", "value"], c.theta.map((t, k) => h("tr", {}, cells([land().parameters[k], String(t)])))))),
  h("p", {}, ["network", "regions", "paths"].filter((v) => v !== state.view && (v !== "regions" || !whyNoRegions(land()))).map((v) => [h("a", { href: href(state.land, v, c.number), text: { network: "network and decisions", regions: "regions", paths: "pathways" }[v] }), " "]))];
}

function spectrum(c) {
  const w = c.spectrum.filter((v) => v !== null), W = 330, H = 60, size = Math.max(...w.map(Math.abs), 1e-300);
  const scale = (v) => Math.sign(v) * Math.max(0, 8 + Math.log10(Math.abs(v) / size)) / 8; // eight decades
  const x = (v) => W / 2 + (W / 2 - 12) * scale(v);
  return s("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Spectrum from ${short(w[0], 3)} to ${short(w[w.length - 1], 3)}` },
    s("line", { class: "axis", x1: 8, x2: W - 8, y1: 24, y2: 24 }), s("line", { class: "axis", x1: W / 2, x2: W / 2, y1: 8, y2: 40 }),
    w.map((v) => s("line", { x1: x(v), x2: x(v), y1: 12, y2: 36, stroke: v < 0 ? colour(1) : colour(0), "stroke-width": 2, "stroke-opacity": 0.7 })),
    s("text", { x: W / 2, y: 52, "text-anchor": "middle", text: `from ${short(w[0], 3)} to ${short(w[w.length - 1], 3)}; the line stands at 0` }));
}

// The network, drawn, and its decisions over the plane of two inputs.
function networkView() {
  const l = land(), c = point(), n = l.inputs[0].length, run = network(l, c.theta);
  if (c.theta.some((t) => t === null)) return h("p", { text: "The weights of this class are not finite numbers." });
  const spread = l.inputs[0].map((_, k) => { const v = l.inputs.map((row) => row[k]), m = v.reduce((a, b) => a + b, 0) / v.length; return [k, m, v.reduce((a, b) => a + (b - m) ** 2, 0)]; });
  const axes = [...spread].sort((a, b) => b[2] - a[2] || a[0] - b[0]).slice(0, 2).map((a) => a[0]).sort((a, b) => a - b);
  if (!state.probe || state.probe.length !== n) state.probe = l.inputs[l.inputs.length - 1].slice();
  const drawing = h("div", {}), outputs = h("dl", {}), parts = [drawing];
  const update = () => { const signals = run(state.probe); drawing.replaceChildren(netDrawing(l, c, signals)); say(outputs, l, signals); };
  if (axes.length === 2) parts.push(decisionMap(l, run, axes, spread, update));
  parts.push(h("div", {}, state.probe.map((v, k) => h("label", {}, `x${k + 1} `, h("input", { type: "number", step: "any", value: short(v, 5), size: 7, "data-input": k,
    oninput: (e) => { state.probe[k] = Number(e.target.value) || 0; update(); } }), " "))), outputs);
  update();
  return parts;
}
function say(node, l, signals) {
  const z = signals[signals.length - 1], p = chances(l, z);
  node.replaceChildren(...[h("dt", { text: "outputs" }), h("dd", { text: z.map((v) => short(v, 6)).join(", ") }),
    ...(p ? [h("dt", { text: "probabilities" }), h("dd", { text: p.map((v, k) => `class ${k}: ${short(v, 5)}`).join(", ") })] : [])]);
}
function netDrawing(l, c, signals) {
  const W = 430, H = 200, widths = signals.map((v) => v.length), most = 12;
  const at = (k, i) => [30 + (k * (W - 60)) / (widths.length - 1), 14 + ((H - 28) * (Math.min(i, most - 1) + 0.5)) / Math.min(widths[k], most)];
  const shown = (k) => Math.min(widths[k], most), weights = l.blocks.filter((b) => b.kind === "W"), biggest = Math.max(1e-9, ...c.theta.map(Math.abs));
  const lines = weights.flatMap((b) => { const out = []; for (let i = 0; i < shown(b.layer); i++) for (let j = 0; j < shown(b.layer - 1); j++) {
    const v = c.theta[b.offset + i * b.shape[1] + j], [x1, y1] = at(b.layer - 1, j), [x2, y2] = at(b.layer, i);
    out.push(s("line", { x1, y1, x2, y2, stroke: v < 0 ? colour(1) : colour(0), "stroke-width": 0.3 + (4 * Math.abs(v)) / biggest, "stroke-opacity": 0.75 }, s("title", { text: `${l.parameters[b.offset + i * b.shape[1] + j]} = ${v}` }))); } return out; });
  const nodes = signals.flatMap((values, k) => values.slice(0, most).map((v, i) => { const [x, y] = at(k, i), t = Math.tanh(v);
    return [s("circle", { cx: x, cy: y, r: 9, fill: "var(--paper)", stroke: "var(--soft)" }), s("circle", { cx: x, cy: y, r: 9, fill: t < 0 ? colour(1) : colour(0), "fill-opacity": Math.abs(t) * 0.7 }, s("title", { text: short(v, 6) }))]; }));
  return s("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `Network ${widths.join("-")}; blue weights are positive, orange negative` }, lines, nodes);
}
function decisionMap(l, run, axes, spread, update) {
  const size = 260, canvas = h("canvas", { width: size, height: size, role: "img", tabindex: 0, "aria-label": "Decisions over two inputs; drag the cross, or use the arrow keys" });
  const values = axes.map((a) => l.inputs.map((row) => row[a])), low = values.map((v) => Math.min(...v)), high = values.map((v) => Math.max(...v));
  const border = 0.5 * (Math.max(high[0] - low[0], high[1] - low[1]) || 1), from = low.map((v) => v - border), to = high.map((v) => v + border);
  const place = (v, k) => ((v - from[k]) / (to[k] - from[k])) * size, value = (p, k) => from[k] + (p / size) * (to[k] - from[k]);
  const mean = spread.map((a) => a[1]), cell = 4, image = document.createElement("canvas"), painter = canvas.getContext("2d");
  image.width = image.height = size;
  const ground = image.getContext("2d");
  const grid = []; let bottom = Infinity, top = -Infinity;
  for (let py = 0; py < size; py += cell) for (let px = 0; px < size; px += cell) {
    const x = mean.slice(); x[axes[0]] = value(px + cell / 2, 0); x[axes[1]] = value(size - py - cell / 2, 1);
    const signals = run(x), z = signals[signals.length - 1], p = chances(l, z);
    grid.push([px, py, z, p]); if (!p) { bottom = Math.min(bottom, z[0]); top = Math.max(top, z[0]); }
  }
  for (const [px, py, z, p] of grid) {
    ground.fillStyle = p ? tint(p) : ramp((z[0] - bottom) / (top - bottom || 1));
    ground.fillRect(px, py, cell, cell);
  }
  dots(ground, l, (row) => [place(row[axes[0]], 0), size - place(row[axes[1]], 1)]);
  const paint = () => {
    painter.drawImage(image, 0, 0);
    cross(painter, place(state.probe[axes[0]], 0), size - place(state.probe[axes[1]], 1));
  };
  const move = (a, b) => { state.probe[axes[0]] = a; state.probe[axes[1]] = b; document.querySelectorAll("[data-input]").forEach((i) => { i.value = short(state.probe[+i.dataset.input], 5); }); paint(); update(); };
  steer(canvas, size, (px, py) => move(value(px, 0), value(size - py, 1)),
    (dx, dy) => move(state.probe[axes[0]] + (dx / size) * (to[0] - from[0]), state.probe[axes[1]] - (dy / size) * (to[1] - from[1])));
  requestAnimationFrame(paint);
  return h("div", {}, h("h3", { text: l.spec.loss === "squared" ? "First output over two inputs" : `Class probabilities over x${axes[0] + 1} and x${axes[1] + 1}` }), canvas,
    h("p", { class: "soft", text: `Drag the cross${spread.length > 2 ? "; the other inputs stand at their means" : ""}.` }));
}

function pathsView() {
  const l = land(), c = point();
  const mine = l.pathways.filter((p) => [p.transition_state, p.minus, p.plus].includes(c.number));
  const loss = (n) => l.classes[n].loss, link = (n) => h("a", { href: href(state.land, "paths", n), text: n });
  const rows = (list) => list.map((p) => h("tr", { class: p === mine[0] ? "pick" : null }, cells([link(p.minus), link(p.transition_state), link(p.plus),
    short(loss(p.transition_state), 9), short(loss(p.transition_state) - loss(p.minus), 4), short(loss(p.transition_state) - loss(p.plus), 4)])));
  const heads = ["from", "over", "to", "loss there", "barrier from", "barrier to"];
  return [h("h2", { text: `Pathways at class ${c.number}` }), mine.length ? [mine.slice(0, 8).map(profile), table(heads, rows(mine))] : h("p", { class: "soft", text: "No pathway begins, ends or passes here." }),
    h("h3", { text: `All ${l.pathways.length} pathways` }), h("div", { class: "scroll" }, table(heads, rows(l.pathways)))];
}
function profile(p) { // the losses of the three points are exact; the curve between them is a sketch
  const l = land(), W = 430, H = 110, three = [p.minus, p.transition_state, p.plus], losses = three.map((n) => l.classes[n].loss);
  const low = Math.min(...losses), high = losses[1], y = (v) => 16 + (70 * (high - v)) / (high - low || 1), x = [40, W / 2, W - 40];
  return s("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": `From class ${p.minus} over ${p.transition_state} to ${p.plus}` },
    s("path", { class: "branch", "stroke-dasharray": "4 3", d: `M${x[0]},${y(losses[0])}C${x[0] + 80},${y(losses[0])} ${x[1] - 60},${y(high)} ${x[1]},${y(high)}S${x[2] - 80},${y(losses[2])} ${x[2]},${y(losses[2])}` }),
    three.map((n, k) => [mark(l.classes[n].index, x[k], y(losses[k]), 6, { class: n === state.pick ? "pick" : null, ...pickable(n, label(l.classes[n])) }),
      s("text", { x: x[k], y: y(losses[k]) + 19, "text-anchor": "middle", text: `${n}: ${short(losses[k], 6)}` })]));
}

function answersView() {
  const l = land();
  if (!l.answers.length) return h("p", { class: "soft", text: "No question was asked of this landscape yet: see symland ask --help." });
  state.answer = Math.min(state.answer, l.answers.length - 1);
  const a = l.answers[state.answer];
  return [h("p", { role: "tablist" }, l.answers.map((b, k) => [h("button", { role: "tab", "aria-selected": k === state.answer, text: b.name, class: k === state.answer ? "pick" : null, onclick: () => { state.answer = k; draw(); } }), " "])),
    h("h2", { text: a.title }), h("p", { class: "soft", text: a.help }), h("p", { text: a.sentence }), a.verdict ? h("p", {}, h("span", { class: "badge", text: a.verdict })) : null,
    a.figures.map((f) => { const box = h("figure", { role: "img", "aria-label": `Figure ${f.name}` }), holder = document.createElement("template"); holder.innerHTML = f.svg; box.append(holder.content); return box; }),
    a.tables.map((t) => [h("h3", { text: t.title }), h("div", { class: "scroll" }, table(t.heads, t.rows.map((row) => h("tr", {}, cells(row)))))])];
}

function mapView() {
  const found = LANDS.map((l) => l.answers.find((a) => a.name === "map")).find(Boolean);
  if (!found) return h("p", { class: "soft", text: "No embedding map is stored: see symland map --help." });
  const m = found.values, W = 220 * m.widths.length, columns = m.widths.map((w) => m.classes.filter((c) => c.width === w).sort((a, b) => a.loss - b.loss));
  const H = Math.max(320, 17 * Math.max(...columns.map((c) => c.length)) + 60), at = new Map();
  columns.forEach((column, k) => column.forEach((c, i) => at.set(`${c.width}/${c.number}`, [110 + 220 * k, 40 + ((H - 60) * (i + 0.5)) / column.length])));
  const jump = (c) => { const k = LANDS.findIndex((l) => l.spec.hidden.length === 1 && l.spec.hidden[0] === c.width && l.penalty === land().penalty && l.data === land().data); if (k >= 0) show("map", c.number, k); };
  return h("div", { class: "scroll" }, s("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": "Embedding map", style: "max-width:none" },
    m.widths.map((w, k) => s("text", { x: 110 + 220 * k, y: 20, "text-anchor": "middle", text: `${w} hidden` })),
    m.links.filter((v) => v.end !== null).map((v) => { const [x1, y1] = at.get(`${v.width}/${v.start}`), [x2, y2] = at.get(`${v.width + 1}/${v.end}`);
      return s("path", { class: "branch", "stroke-dasharray": v.rise ? "5 3" : null, d: `M${x1 + 8},${y1}C${x1 + 100},${y1} ${x2 - 100},${y2} ${x2 - 8},${y2}` }, s("title", { text: `index rises by ${v.rise}: ${v.verdict}` })); }),
    m.classes.map((c) => { const [x, y] = at.get(`${c.width}/${c.number}`), here = land().spec.hidden[0] === c.width && c.number === state.pick;
      return [mark(c.index, x, y, 5, { class: here ? "pick" : null, ...pickable(c.number, `width ${c.width}, class ${c.number}, ${c.label}`), onclick: () => jump(c) }, ), s("text", { class: "halo", ...(c.width === m.widths[m.widths.length - 1] ? { x: x + 12 } : { x: x - 12, "text-anchor": "end" }), y: y + 4, text: c.number })]; })));
}

// Loss against the parameter, its events, and the counts where the slider stands.
function branchesView() {
  const found = land().answers.find((a) => a.name === "follow");
  if (!found) return h("p", { class: "soft", text: "No diagram is stored for this landscape: see symland follow --help." });
  const f = found.values, log = f.parameter === "penalty" || f.branches.every((b) => b.parameter.every((v) => v > 0)) && f.parameter !== "t";
  const scale = (v) => (log ? Math.log10(v) : v), all = f.branches.flatMap((b) => b.parameter.map(scale)), losses = f.branches.flatMap((b) => b.loss);
  const a = Math.min(...all), b = Math.max(...all), W = 620, H = 400, left = 66, foot = 40;
  const x = (v) => left + ((W - left - 14) * (scale(v) - a)) / (b - a || 1), { y, ticks } = axis(Math.min(...losses), Math.max(...losses), H - foot - 20, 12, false);
  const at = Math.min(b, Math.max(a, state.at === null ? scale(land().penalty_value) : state.at)), here = log ? Math.pow(10, at) : at;
  const held = f.intervals.find((i) => Number(i.low) <= here && (i.high === "inf" || here <= Number(i.high)));
  const says = h("output", { text: ` ${short(here, 5)}: ${held ? held.counts.map((n, k) => counted(n, k)).join(", ") : "outside the range"}` });
  const parts = f.branches.flatMap((branch) => { // one piece for each run of equal index
    const out = []; let piece = [];
    branch.parameter.forEach((v, k) => {
      piece.push([v, branch.loss[k]]);
      if (k + 1 === branch.parameter.length || branch.index[k + 1] !== branch.index[k]) { out.push([branch, branch.index[k], piece]); piece = [[v, branch.loss[k]]]; }
    });
    return out;
  });
  const steps = []; for (let t = Math.ceil(a); log && t <= b; t++) steps.push(Math.pow(10, t));
  return [h("label", {}, log ? "λ " : "t ", h("input", { type: "range", id: "at", min: a, max: b, step: (b - a) / 400, value: at, oninput: (e) => { state.at = +e.target.value; draw(); $("at").focus(); } }), says),
    h("div", { class: "scroll" }, s("svg", { width: W, height: H, viewBox: `0 0 ${W} ${H}`, role: "group", "aria-label": "Bifurcation diagram", style: "max-width:none" },
      ticks.map((t) => [s("line", { class: "axis", x1: left, x2: W, y1: y(t), y2: y(t) }), s("text", { x: left - 6, y: y(t) + 4, "text-anchor": "end", text: short(t, 4) })]),
      steps.map((t) => s("text", { x: x(t), y: H - 12, "text-anchor": "middle", text: short(t, 2) })),
      parts.map(([branch, k, piece]) => s("polyline", { points: piece.map(([v, e]) => `${x(v)},${y(e)}`).join(" "), fill: "none", stroke: colour(k), "stroke-width": k ? 1 : 1.8, "stroke-dasharray": k ? "5 2" : null },
        s("title", { text: `${nameOf(k)}, ${branch.copies} copies, classes ${branch.classes.join(", ") || "none listed"}` }))),
      f.events.map((e) => mark(e.kind === "fold" ? 0 : 3, x(Number(e.value)), y(Number(e.loss)), 4, { fill: e.certified ? "var(--ink)" : "none", stroke: "var(--ink)" }, )),
      s("line", { x1: x(here), x2: x(here), y1: 8, y2: H - foot, stroke: "var(--soft)", "stroke-width": 1.5, "stroke-dasharray": "2 3" }))),
    h("p", { class: "soft", text: "Full lines are minima. Dots are folds, diamonds other events; filled where certified." }),
    table(["event", "value", "certified", "index"], f.events.map((e) => h("tr", {}, cells([e.kind, e.value, e.certified ? "yes" : "no", String(e.index)]))))];
}

// The page ----------------------------------------------------------------------------------------------------------

const VIEWS = [["overview", "Overview", overview], ["tree", "Tree", treeView], ["list", "Classes", listView], ["network", "Network", networkView], ["regions", "Regions", regionsView],
  ["paths", "Pathways", pathsView], ["answers", "Answers", answersView], ["map", "Embedding", mapView], ["branches", "Branches", branchesView]];
const ASKED = { map: "map", branches: "follow" }; // views that are there where the question was asked
const views = () => VIEWS.filter(([name]) => !ASKED[name] || LANDS.some((l) => l.answers.some((a) => a.name === ASKED[name])));

function draw() {
  const l = land(), [name, title, view] = VIEWS.find(([v]) => v === state.view), main = $("main");
  const scrolled = [...document.querySelectorAll(".scroll")].map((e) => [e.scrollLeft, e.scrollTop]), same = main.dataset.view === `${state.land}/${name}`;
  const body = name === "overview" ? view() : h("div", { class: "split" }, h("section", { class: "panel", id: "view", "aria-label": title }, view()), h("aside", { class: "panel", id: "card", "aria-label": "Class" }, card()));
  main.replaceChildren(h("p", { class: "soft", id: "summary", text: `${l.name}: ${l.spec.hidden.join("-")} hidden, λ = ${l.penalty}; ${l.counts.map((n, k) => counted(n, k)).join(", ")}; ${l.wording}` }), ...[body].flat());
  if (same) document.querySelectorAll(".scroll").forEach((e, k) => { if (scrolled[k]) [e.scrollLeft, e.scrollTop] = scrolled[k]; });
  main.dataset.view = `${state.land}/${name}`;
  $("tabs").replaceChildren(...views().map(([v, text]) => h("button", { type: "button", text, "aria-current": v === name ? "page" : null, onclick: () => show(v) })), "");
  $("landscape").value = state.land;
  const row = family();
  $("slider-label").hidden = row.length < 2;
  if (row.length > 1) { $("slider").max = row.length - 1; $("slider").value = row.indexOf(state.land); $("slider-value").textContent = ` ${l.penalty}`; }
  $("live").textContent = `${title}. ${point() ? label(point()) : ""}`;
}
function family() { // landscapes that differ in the penalty alone, by the penalty
  const key = (l) => JSON.stringify([l.spec.hidden, l.spec.activation, l.spec.loss, l.data, l.spec.penalised]), mine = key(land());
  return LANDS.map((l, k) => [l, k]).filter(([l]) => key(l) === mine).sort((a, b) => a[0].penalty_value - b[0].penalty_value).map(([, k]) => k);
}
let routed = null;
function route() { // at once, and not again when the browser tells of the change
  if (location.hash === routed) return;
  routed = location.hash;
  const [, first, view, pick] = location.hash.split("/");
  const number = Number(first);
  state.land = first && Number.isInteger(number) && number >= 0 && number < LANDS.length ? number : 0;
  state.view = views().some(([v]) => v === view) ? view : first ? "tree" : LANDS.length > 1 ? "overview" : "tree";
  const n = Number(pick);
  state.pick = pick !== undefined && Number.isInteger(n) && n >= 0 && n < land().classes.length ? n : Math.min(state.pick, land().classes.length - 1);
  draw();
}
function dark(on) { document.documentElement.classList.toggle("dark", on); }

LANDS.forEach((l, k) => $("landscape").append(h("option", { value: k, text: `${l.name} ${l.spec.hidden.join("-")} λ=${l.penalty}` })));
$("landscape").addEventListener("change", (e) => show(state.view === "overview" ? "tree" : state.view, 0, +e.target.value));
$("slider").addEventListener("input", (e) => show(state.view, 0, family()[+e.target.value]));
$("search").addEventListener("input", () => { if (state.view !== "list") show("list"); else draw(); });
$("search").addEventListener("keydown", (e) => { if (e.key === "Enter") { const c = land().classes.find((v) => matches(v, e.target.value.trim().toLowerCase())); if (c) show("list", c.number); } });
$("theme").addEventListener("click", () => dark(!document.documentElement.classList.contains("dark")));
$("help").addEventListener("click", () => $("keys").showModal());
addEventListener("keydown", (e) => {
  if (e.target.matches("input, select, textarea") || e.ctrlKey || e.metaKey || e.altKey || $("keys").open) return;
  const last = land().classes.length - 1, step = { ArrowDown: 1, ArrowUp: -1 }[e.key], move = { "]": 1, "[": -1 }[e.key];
  if (step) { e.preventDefault(); choose(Math.max(0, Math.min(last, state.pick + step))); }
  else if (move) show(state.view, 0, Math.max(0, Math.min(LANDS.length - 1, state.land + move)));
  else if (e.key === "/") { e.preventDefault(); $("search").focus(); }
  else if (e.key === "t") $("theme").click();
  else if (e.key === "?") $("keys").showModal();
  else if (/^[1-9]$/.test(e.key) && views()[+e.key - 1]) show(views()[+e.key - 1][0]);
});
addEventListener("hashchange", route);
dark(matchMedia("(prefers-color-scheme: dark)").matches);
route();
