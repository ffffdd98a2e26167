'use strict';
// The page of `memformer-run analyze`: draws what its data block holds (docs/analysis.md says what that is).
const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);
const { slots: K, segments: T, views: V, segment_tokens: L } = data;

// Arrays of 16-bit little-endian numbers, as base64.
function unpack(text) {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  return new Uint16Array(bytes.buffer);
}
const selfWeights = unpack(data.self_weights); // [T][views][K], in 1/65535; the first view is the mean
function unpackRows({ counts, positions, weights }) {
  const rows = { counts: unpack(counts), positions: unpack(positions), weights: unpack(weights) };
  rows.starts = new Uint32Array(rows.counts.length + 1);
  rows.counts.forEach((count, i) => { rows.starts[i + 1] = rows.starts[i] + count; });
  return rows;
}
const ofMean = unpackRows(data.attention.mean), ofHeads = data.attention.heads && unpackRows(data.attention.heads);

const ownWeight = (t, k, view = 0) => selfWeights[(t * V + view) * K + k] / 65535;
const typeOf = weight => weight >= data.thresholds.keeps ? 1 : weight <= data.thresholds.replaces ? 3 : 2;
const names = { 1: 'keeps', 2: 'blends', 3: 'replaces' };
const format = (x, digits = 2) => x.toFixed(digits);
const percent = x => (100 * x).toFixed(x < 0.0995 ? 1 : 0) + ' %';
const state = { slot: 0, segment: 0, view: 0 };

// ---------- tokens

// A byte or an id as a person reads it: printable ASCII as it is, everything else escaped.
function glyph(token) {
  if (token < 0) return { text: `[vector ${-token}]`, code: true };
  if (!data.text) return { text: String(token), code: false };
  if (token === 10) return { text: '↵', code: true, after: '\n' };
  if (token === 9) return { text: '\\t', code: true };
  if (token >= 32 && token < 127) return { text: String.fromCharCode(token), code: false };
  return { text: '\\x' + token.toString(16).padStart(2, '0'), code: true };
}
const label = token => token === 32 && data.text ? '␣' : glyph(token).text;
// What the write at a segment reads: the encoder's tokens, and the learned vectors behind them.
const tokenAt = (t, position) => position < L ? data.tokens[t][position] : L - position - 1;

function weightsAt(t, k, view) {
  const rows = view ? ofHeads : ofMean, row = view ? (t * data.heads + view - 1) * K + k : t * K + k;
  const weights = new Map();
  for (let i = rows.starts[row]; i < rows.starts[row + 1]; i++) weights.set(rows.positions[i], rows.weights[i] / 65535);
  return weights;
}

// ---------- drawing

const svgElement = (name, attributes = {}, text) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const element = (name, className, text) => {
  const result = document.createElement(name);
  if (className) result.className = className;
  if (text !== undefined) result.textContent = text;
  return result;
};
const stops = [[200, 67, 44], [238, 143, 79], [246, 217, 139], [159, 195, 220], [47, 109, 181]];
function color(weight) {
  const at = Math.min(Math.max(weight, 0), 1) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
  return stops[low].map((value, i) => Math.round(value + (stops[low + 1][i] - value) * (at - low)));
}
function niceStep(range, count) {
  const raw = range / count, power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find(step => step * power >= raw);
}
const tip = byId('tip');
function showTip(event, text) {
  tip.textContent = text;
  tip.classList.add('on');
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.min(event.clientX + 14, innerWidth - box.width - 8) + 'px';
  tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18) + 'px';
}
const hideTip = () => tip.classList.remove('on');

// An SVG with a plot area inside margins; x and y map data to pixels.
function frame(svg, margins, domain) {
  svg.replaceChildren();
  const width = svg.clientWidth || 700, height = svg.clientHeight || 200;
  const [top, right, bottom, left] = margins;
  const plot = { svg, left, top, right: width - right, bottom: height - bottom };
  plot.x = value => left + (value - domain.x[0]) / (domain.x[1] - domain.x[0]) * (plot.right - left);
  plot.y = value => plot.bottom - (value - domain.y[0]) / (domain.y[1] - domain.y[0]) * (plot.bottom - top);
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  return plot;
}
const add = (plot, name, attributes, text) => plot.svg.appendChild(svgElement(name, attributes, text));

// Marks below a time axis, at whole segments.
function timeAxis(plot) {
  const step = Math.max(1, niceStep(T, Math.min(12, (plot.right - plot.left) / 60)));
  for (let t = 0; t < T; t += step) add(plot, 'text', { x: plot.x(t + 0.5), y: plot.bottom + 16, 'text-anchor': 'middle' }, t);
}
const segmentUnder = (svg, plot, event) => {
  const box = svg.getBoundingClientRect();
  const at = (event.clientX - box.left - plot.left) / (plot.right - plot.left) * T;
  return Math.min(Math.max(Math.floor(at), 0), T - 1);
};

let seriesPlot;
function drawSeries() {
  const svg = byId('series'), plot = seriesPlot = frame(svg, [6, 8, 22, 44], { x: [0, T], y: [0, K] });
  const step = Math.max(1, niceStep(K, 4));
  let below = new Array(T).fill(0);
  // The keepers lie at the bottom, what is replaced on top.
  for (const type of [1, 2, 3]) {
    const above = below.map((base, t) => base + data.types[t][type - 1]);
    let path = '';
    for (let t = 0; t < T; t++) path += `${t ? 'L' : 'M'}${plot.x(t)},${plot.y(above[t])}L${plot.x(t + 1)},${plot.y(above[t])}`;
    for (let t = T - 1; t >= 0; t--) path += `L${plot.x(t + 1)},${plot.y(below[t])}L${plot.x(t)},${plot.y(below[t])}`;
    add(plot, 'path', { class: `a${type}`, d: path + 'Z' });
    below = above;
  }
  for (let value = 0; value <= K; value += step) add(plot, 'text', { x: plot.left - 8, y: plot.y(value) + 4, 'text-anchor': 'end' }, value);
  data.restarts.forEach((restart, t) => {
    if (restart && t) add(plot, 'line', { class: 'mark', x1: plot.x(t), x2: plot.x(t), y1: plot.top, y2: plot.bottom, 'stroke-dasharray': '2 4' });
  });
  timeAxis(plot);
  plot.band = add(plot, 'rect', { class: 'band', y: plot.top, height: plot.bottom - plot.top, width: Math.max(plot.x(1) - plot.x(0), 2) });
  const last = data.types[T - 1];
  svg.setAttribute('aria-label', `Types of ${K} slots over ${T} segments; at the last one ${last[0]} keep, ${last[1]} blend and ${last[2]} replace`);
}
const countsText = t => `segment ${t}\n` + data.types[t].map((count, i) => `type ${i + 1} ${names[i + 1]}: ${count}`).join('\n');

// Rows of the heat map, top to bottom.
let rows = [];
function orderRows() {
  const by = { slot: k => k, rate: k => data.slot.update_rate[k], norm: k => data.slot.bias_norm[k] }[byId('order').value];
  rows = Array.from({ length: K }, (_, k) => k).sort((a, b) => by(a) - by(b) || a - b);
}
function drawHeat() {
  const canvas = byId('heat').querySelector('canvas');
  canvas.width = T;
  canvas.height = K;
  canvas.style.height = Math.max(K, Math.min(340, K * 26)) + 'px';
  const context = canvas.getContext('2d'), image = context.createImageData(T, K);
  rows.forEach((k, row) => {
    for (let t = 0; t < T; t++) image.data.set([...color(ownWeight(t, k, state.view)), 255], 4 * (row * T + t));
  });
  context.putImageData(image, 0, 0);
}
function placeCell() {
  const canvas = byId('heat').querySelector('canvas'), cell = byId('cell');
  const width = canvas.clientWidth / T, height = canvas.clientHeight / K, row = rows.indexOf(state.slot);
  const pane = byId('pane'), top = row * height;
  if (top < pane.scrollTop || top + height > pane.scrollTop + pane.clientHeight) pane.scrollTop = top - pane.clientHeight / 2;
  const w = Math.max(width, 4) + 4, h = Math.max(height, 4) + 4;
  Object.assign(cell.style, { width: w + 'px', height: h + 'px', left: (state.segment + 0.5) * width - w / 2 + 'px', top: (row + 0.5) * height - h / 2 + 'px' });
}
function cellUnder(event) {
  const box = byId('heat').querySelector('canvas').getBoundingClientRect();
  const t = Math.floor((event.clientX - box.left) / box.width * T), row = Math.floor((event.clientY - box.top) / box.height * K);
  return { t: Math.min(Math.max(t, 0), T - 1), k: rows[Math.min(Math.max(row, 0), K - 1)] };
}

let scatterPlot;
function drawScatter() {
  const { bias_norm: norms, update_rate: rates } = data.slot;
  const most = Math.max(...norms), least = Math.min(...norms), pad = Math.max((most - least) * 0.08, most * 0.02, 1e-6);
  const domain = { x: [Math.max(0, least - pad), most + pad], y: [-0.03, 1.03] };
  const svg = byId('scatter'), plot = scatterPlot = frame(svg, [8, 10, 42, 44], domain);
  for (const value of [0, 0.25, 0.5, 0.75, 1]) {
    add(plot, 'line', { class: 'grid', x1: plot.left, x2: plot.right, y1: plot.y(value), y2: plot.y(value) });
    add(plot, 'text', { x: plot.left - 8, y: plot.y(value) + 4, 'text-anchor': 'end' }, value);
  }
  const step = niceStep(domain.x[1] - domain.x[0], 7), digits = Math.max(0, -Math.floor(Math.log10(step)));
  for (let value = Math.ceil(domain.x[0] / step) * step; value <= domain.x[1]; value += step)
    add(plot, 'text', { x: plot.x(value), y: plot.bottom + 17, 'text-anchor': 'middle' }, format(value, digits));
  add(plot, 'text', { x: (plot.left + plot.right) / 2, y: plot.bottom + 36, 'text-anchor': 'middle' }, '‖v‖');
  add(plot, 'text', { transform: `translate(11 ${(plot.top + plot.bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle' }, 'update rate');
  const radius = K > 300 ? 3 : 5;
  for (let k = 0; k < K; k++)
    add(plot, 'circle', { class: 'dot', r: radius, cx: plot.x(norms[k]), cy: plot.y(rates[k]), fill: `rgb(${color(1 - rates[k])})`, 'data-slot': k });
  plot.halo = add(plot, 'circle', { class: 'chosen', r: radius + 4, 'pointer-events': 'none' });
  svg.setAttribute('aria-label', `Length of the bias against update rate of ${K} slots; correlation ${format(correlation(norms, rates))}; arrow keys walk through the slots by length`);
}
function correlation(a, b) {
  const mean = list => list.reduce((sum, x) => sum + x, 0) / list.length, ma = mean(a), mb = mean(b);
  let ab = 0, aa = 0, bb = 0;
  a.forEach((x, i) => { ab += (x - ma) * (b[i] - mb); aa += (x - ma) ** 2; bb += (b[i] - mb) ** 2; });
  return aa && bb ? ab / Math.sqrt(aa * bb) : 0;
}

// ---------- the slot and segment in view

function drawText() {
  const { slot: k, segment: t } = state, view = ofHeads ? state.view : 0, box = byId('text');
  const weights = weightsAt(t, k, view), most = Math.max(...weights.values(), 1e-9);
  let stored = 0;
  weights.forEach(weight => { stored += weight; });
  box.replaceChildren();
  // Text of the same document before and behind; its first segment is no text.
  const isRestart = data.restarts[t] === 1, around = 140;
  let before = [], after = [];
  for (let s = t - 1; data.text && !data.restarts[s + 1] && !data.restarts[s] && s >= 0 && before.length < around; s--) before = data.tokens[s].concat(before);
  for (let s = t + 1; data.text && s < T && !data.restarts[s] && after.length < around; s++) after = after.concat(data.tokens[s]);
  const context = tokens => box.append(element('span', 'context', tokens.map(token => glyph(token)).map(({ text, after = '' }) => text + after).join('')));
  context(before.slice(-around));
  const positions = L + data.cls_tokens;
  for (let position = 0; position < positions; position++) {
    const weight = weights.get(position) || 0, { text, code, after = '' } = glyph(tokenAt(t, position)), token = element('span', '', '');
    token.textContent = text;
    if (code) token.classList.add('code');
    if (!data.text || position >= L) token.classList.add('id');
    token.dataset.position = position;
    token.dataset.weight = format(weight, 4);
    if (weight > 0) {
      const share = weight / most;
      token.style.background = `rgba(var(--shade), ${format(0.08 + 0.87 * share, 3)})`;
      if (share > 0.7) token.classList.add('strong');
    }
    token.setAttribute('aria-label', `${label(tokenAt(t, position))}, weight ${format(weight, 3)}`);
    token.tabIndex = position === 0 ? 0 : -1;
    box.append(token, after);
  }
  context(after.slice(0, around));
  const own = ownWeight(t, k, view), rest = Math.max(0, 1 - own - stored);
  byId('rest').textContent = `${percent(own)} of the attention is on the slot itself, ${percent(stored)} on the shaded tokens` +
    (rest > 0.005 ? `, ${percent(rest)} on others, less than ${percent(data.attention.least)} each or beyond the first ${data.attention.most}` : '') +
    (view !== state.view ? '; of tokens the mean over the heads was stored' : '') +
    (isRestart ? '. A sequence begins here: the encoder reads its beginning token.' : '.');
}
function drawHeads() {
  const { slot: k, segment: t } = state, body = byId('heads').tBodies[0];
  body.replaceChildren();
  for (let view = 0; view < V; view++) {
    const weight = ownWeight(t, k, view), row = body.insertRow();
    row.dataset.view = view;
    if (view === state.view) row.className = 'now';
    row.insertCell().textContent = view ? view : 'mean';
    row.insertCell().textContent = format(weight, 3);
    const bar = element('div', 'bar');
    bar.append(element('i'));
    bar.firstChild.style.width = 100 * weight + '%';
    row.insertCell().append(bar);
  }
}
function drawTokens() {
  const body = byId('tokens').tBodies[0], list = data.slot.tokens[state.slot], most = list.length ? list[0][1] : 1;
  body.replaceChildren();
  for (const [token, share, lift] of list) {
    const row = body.insertRow(), cell = row.insertCell();
    cell.textContent = label(token);
    const bar = element('i');
    bar.style.width = 90 * share / most + 'px';
    row.insertCell().append(bar, percent(share));
    row.insertCell().textContent = format(lift, lift < 10 ? 2 : 0);
  }
}
let historyPlot;
function drawHistory() {
  const svg = byId('history'), plot = historyPlot = frame(svg, [6, 8, 22, 34], { x: [0, T], y: [0, 1] });
  for (const value of [0, 1]) add(plot, 'text', { x: plot.left - 8, y: plot.y(value) + 4, 'text-anchor': 'end' }, value);
  for (const value of [0, data.thresholds.replaces, data.thresholds.keeps, 1])
    add(plot, 'line', { class: 'grid', x1: plot.left, x2: plot.right, y1: plot.y(value), y2: plot.y(value), ...(value % 1 ? { 'stroke-dasharray': '3 4' } : {}) });
  add(plot, 'rect', { class: 'band', x: plot.x(state.segment), y: plot.top, height: plot.bottom - plot.top, width: Math.max(plot.x(1) - plot.x(0), 2) });
  let path = '';
  for (let t = 0; t < T; t++) path += `${t ? 'L' : 'M'}${plot.x(t + 0.5)},${plot.y(ownWeight(t, state.slot, state.view))}`;
  add(plot, 'path', { class: 'curve', d: path });
  timeAxis(plot);
  svg.setAttribute('aria-label', `Self weight of slot ${state.slot} over ${T} segments`);
}

function select(slot, segment, view = state.view) {
  const clamp = (value, count) => Math.min(Math.max(Number.isInteger(value) ? value : 0, 0), count - 1);
  const viewChanged = view !== state.view;
  Object.assign(state, { slot: clamp(slot, K), segment: clamp(segment, T), view: clamp(view, V) });
  const weight = ownWeight(state.segment, state.slot), type = typeOf(weight);
  byId('where').innerHTML = '';
  byId('where').append(`Slot ${state.slot} at segment ${state.segment}: `, element('span', `t${type}`, `type ${type}, ${names[type]}`), ` (self weight ${format(weight)})`);
  byId('slot').value = state.slot;
  byId('segment').value = state.segment;
  byId('view').value = state.view;
  if (viewChanged) drawHeat();
  seriesPlot.band.setAttribute('x', seriesPlot.x(state.segment));
  placeCell();
  scatterPlot.halo.setAttribute('cx', scatterPlot.x(data.slot.bias_norm[state.slot]));
  scatterPlot.halo.setAttribute('cy', scatterPlot.y(data.slot.update_rate[state.slot]));
  drawText();
  drawHeads();
  drawTokens();
  drawHistory();
  try { history.replaceState(null, '', `#slot=${state.slot}&segment=${state.segment}&head=${state.view}`); } catch { /* a page inside another may not */ }
}

// ---------- words and tiles

function fill() {
  byId('model').textContent = data.model;
  const count = (n, word) => `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`;
  byId('summary').textContent = `${count(K, 'slot')} with ${count(data.heads, 'head')}, written at ${count(T, 'segment')} of ${count(L, data.text ? 'byte' : 'token')}${data.source ? ' of ' + data.source : ''}${data.write.includes('.') ? `, by the write after layer ${data.write.split('.')[1]} of the encoder` : ''}`;
  byId('keeps').textContent = data.thresholds.keeps;
  byId('replaces').textContent = data.thresholds.replaces;
  const meanings = { 1: `self weight at least ${data.thresholds.keeps}`, 2: 'in between', 3: `self weight at most ${data.thresholds.replaces}` };
  const half = data.types.slice(Math.floor(T / 2));
  for (const type of [1, 2, 3]) {
    const share = list => list.reduce((sum, counts) => sum + counts[type - 1], 0) / (K * list.length);
    const tile = element('div', 'tile');
    tile.style.setProperty('--color', `var(--t${type})`);
    tile.style.setProperty('--ink-color', `var(--ink${type})`);
    tile.append(element('b', '', percent(share(half))), element('strong', '', `Type ${type}: ${names[type]}`), element('small', '', `${meanings[type]}; ${percent(share(data.types.slice(0, 1)))} at the first segment`));
    tile.title = 'share of the slots, mean over the second half of the segments';
    byId('tiles').append(tile);
  }
  const body = byId('types').tBodies[0];
  data.types.forEach((counts, t) => {
    const row = body.insertRow();
    [t, ...counts].forEach(value => { row.insertCell().textContent = value; });
  });
  for (let view = 0; view < V; view++) byId('view').append(new Option(view ? String(view) : 'mean', view));
  byId('slot').max = K - 1;
  byId('segment').max = T - 1;
}

// ---------- events

function listen() {
  const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -T], End: [0, T] };
  const onKeys = (target, act) => target.addEventListener('keydown', event => {
    if (!(event.key in arrows)) return;
    event.preventDefault();
    act(...arrows[event.key]);
  });
  const clamped = (value, count) => Math.min(Math.max(value, 0), count - 1);
  const step = by => select(state.slot, clamped(state.segment + by, T));

  const series = byId('series'), heat = byId('heat'), scatter = byId('scatter'), history = byId('history');
  for (const [svg, plot, text] of [[series, () => seriesPlot, countsText], [history, () => historyPlot, t => `segment ${t}: ${format(ownWeight(t, state.slot, state.view), 3)}`]]) {
    svg.addEventListener('pointermove', event => showTip(event, text(segmentUnder(svg, plot(), event))));
    svg.addEventListener('pointerleave', hideTip);
    svg.addEventListener('click', event => select(state.slot, segmentUnder(svg, plot(), event)));
  }
  onKeys(series, (rowStep, segmentStep) => step(segmentStep));

  heat.addEventListener('pointermove', event => {
    const { t, k } = cellUnder(event), weight = ownWeight(t, k);
    showTip(event, `slot ${k}, segment ${t}\nself weight ${format(weight, 3)}: type ${typeOf(weight)}, ${names[typeOf(weight)]}`);
  });
  heat.addEventListener('pointerleave', hideTip);
  heat.addEventListener('click', event => { const { t, k } = cellUnder(event); select(k, t); });
  onKeys(heat, (rowStep, segmentStep) => select(rows[clamped(rows.indexOf(state.slot) + rowStep, K)], clamped(state.segment + segmentStep, T)));

  scatter.addEventListener('pointermove', event => {
    const k = event.target.dataset && event.target.dataset.slot;
    if (k === undefined) return hideTip();
    showTip(event, `slot ${k}\n‖v‖ ${format(data.slot.bias_norm[k], 3)}, update rate ${format(data.slot.update_rate[k], 3)}`);
  });
  scatter.addEventListener('pointerleave', hideTip);
  scatter.addEventListener('click', event => {
    const k = event.target.dataset && event.target.dataset.slot;
    if (k !== undefined) select(Number(k), state.segment);
  });
  const byNorm = Array.from({ length: K }, (_, k) => k).sort((a, b) => data.slot.bias_norm[a] - data.slot.bias_norm[b] || a - b);
  onKeys(scatter, (rowStep, segmentStep) => select(byNorm[clamped(byNorm.indexOf(state.slot) + Math.sign(segmentStep || -rowStep), K)], state.segment));

  const text = byId('text');
  text.addEventListener('pointermove', event => {
    const { weight, position } = event.target.dataset || {};
    if (weight === undefined) return hideTip();
    showTip(event, `${label(tokenAt(state.segment, Number(position)))}: ${weight}`);
  });
  text.addEventListener('pointerleave', hideTip);
  onKeys(text, (rowStep, segmentStep) => {
    const tokens = [...text.querySelectorAll('[data-position]')], at = Math.max(0, tokens.indexOf(document.activeElement));
    const next = tokens[clamped(at + (segmentStep || rowStep), tokens.length)];
    tokens[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  text.addEventListener('focusin', event => {
    const box = event.target.getBoundingClientRect();
    if (event.target.dataset.weight !== undefined && event.target.matches(':focus-visible'))
      showTip({ clientX: box.left, clientY: box.bottom - 10 }, `${label(tokenAt(state.segment, Number(event.target.dataset.position)))}: ${event.target.dataset.weight}`);
  });
  text.addEventListener('focusout', hideTip);

  byId('heads').addEventListener('click', event => {
    const row = event.target.closest('tr[data-view]');
    if (row) select(state.slot, state.segment, Number(row.dataset.view));
  });
  byId('choice').addEventListener('submit', event => event.preventDefault());
  byId('choice').addEventListener('input', () => select(byId('slot').valueAsNumber, byId('segment').valueAsNumber, Number(byId('view').value)));
  byId('order').addEventListener('change', () => { orderRows(); drawHeat(); placeCell(); });
  byId('theme').addEventListener('click', () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'));
  let waiting = 0;
  addEventListener('resize', () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); });
}
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId('theme').lastElementChild.textContent = theme === 'dark' ? 'light' : 'dark';
}
function draw() {
  drawSeries();
  drawHeat();
  drawScatter();
  select(state.slot, state.segment);
}

// Where to begin: what the address asks for, else where about four tokens are read, by a slot that often keeps.
function begin() {
  const asked = new URLSearchParams(location.hash.slice(1)), number = name => Number.parseInt(asked.get(name) ?? '', 10);
  if (asked.has('slot') || asked.has('segment')) {
    const clamp = (value, count) => Math.min(Math.max(value || 0, 0), count - 1);
    Object.assign(state, { slot: clamp(number('slot'), K), segment: clamp(number('segment'), T), view: clamp(number('head'), V) });
  } else {
    let best = -1;
    for (let t = Math.floor(T / 2); t < T; t++)
      for (let k = 0; k < K; k++) {
        let sum = 0, squares = 0;
        weightsAt(t, k, 0).forEach(weight => { sum += weight; squares += weight * weight; });
        // Weights on n tokens alike count as n.
        const likes = sum * Math.exp(-(Math.log(sum * sum / Math.max(squares, 1e-9) / 4 + 1e-9) ** 2)) * (1.2 - data.slot.update_rate[k]);
        if (likes > best) { best = likes; state.slot = k; state.segment = t; }
      }
  }
  const dark = asked.get('theme') ? asked.get('theme') === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  setTheme(dark ? 'dark' : 'light');
  fill();
  orderRows();
  draw();
  listen();
}
begin();
