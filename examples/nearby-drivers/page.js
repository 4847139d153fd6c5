/** The map: drivers as points, the circle under the pointer, who was found in it, and the cells that it touches. */
const canvas = document.getElementById('map');
const paint = canvas.getContext('2d');
const city = await (await fetch('city')).json();
const METRES_A_DEGREE = 111_195;
const EAST = Math.cos((city.lat * Math.PI) / 180);

/** What is in the middle, in metres from the city's centre, and how large a metre is. */
const view = { x: 0, y: 0, scale: 0.05 };
let size = { width: 0, height: 0, ratio: 1 };
let drivers = new Float32Array(0);
let pointer = null;
let near = null;
let dirty = true;

document.getElementById('drivers').textContent = city.drivers.toLocaleString('en');

function toScreen(lat, lon) {
  const x = (lon - city.lon) * METRES_A_DEGREE * EAST;
  const y = (lat - city.lat) * METRES_A_DEGREE;
  return [size.width / 2 + (x - view.x) * view.scale, size.height / 2 - (y - view.y) * view.scale];
}

function toPosition(x, y) {
  const east = (x - size.width / 2) / view.scale + view.x;
  const north = (size.height / 2 - y) / view.scale + view.y;
  return { lat: city.lat + north / METRES_A_DEGREE, lon: city.lon + east / METRES_A_DEGREE / EAST };
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Straight into the pixels: a hundred thousand calls would take longer than a frame. */
function drawDrivers() {
  const { width, height } = canvas;
  const image = paint.getImageData(0, 0, width, height);
  const pixels = image.data;
  const [red, green, blue] = color('--driver').split(',').map(Number);
  const scale = view.scale * size.ratio;
  const dot = view.scale > 0.15 ? 2 : 1;
  const share = view.scale > 0.15 ? 0.9 : 0.55;
  for (let at = 0; at < drivers.length; at += 2) {
    const px = Math.round(width / 2 + (drivers[at + 1] * METRES_A_DEGREE * EAST - view.x) * scale);
    const py = Math.round(height / 2 - (drivers[at] * METRES_A_DEGREE - view.y) * scale);
    if (px < 0 || py < 0 || px + dot >= width || py + dot >= height) continue;
    for (let y = py; y < py + dot; y++) {
      for (let x = px; x < px + dot; x++) {
        const pixel = (y * width + x) * 4;
        pixels[pixel] += (red - pixels[pixel]) * share;
        pixels[pixel + 1] += (green - pixels[pixel + 1]) * share;
        pixels[pixel + 2] += (blue - pixels[pixel + 2]) * share;
      }
    }
  }
  paint.putImageData(image, 0, 0);
}

function drawNear() {
  const [x, y] = toScreen(near.lat, near.lon);
  const shown = document.querySelector('[name=cells]:checked').value;
  paint.strokeStyle = color('--cell');
  paint.lineWidth = 1.5;
  for (const outline of near.cells[shown] ?? []) {
    paint.beginPath();
    for (const [lat, lon] of outline) paint.lineTo(...toScreen(lat, lon));
    paint.closePath();
    paint.stroke();
  }
  paint.strokeStyle = paint.fillStyle = color('--found');
  paint.lineWidth = 1.5;
  paint.beginPath();
  paint.arc(x, y, Math.max(2, near.radiusM * view.scale), 0, 2 * Math.PI);
  paint.stroke();
  for (const [, lat, lon] of near.found) {
    paint.beginPath();
    paint.arc(...toScreen(lat, lon), near.found.length > 100 ? 1.5 : 3, 0, 2 * Math.PI);
    paint.fill();
  }
}

function draw() {
  requestAnimationFrame(draw);
  if (!dirty) return;
  dirty = false;
  paint.setTransform(1, 0, 0, 1, 0, 0);
  paint.fillStyle = color('--ground');
  paint.fillRect(0, 0, canvas.width, canvas.height);
  drawDrivers();
  paint.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
  if (near !== null) drawNear();
  document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
}

function resize() {
  const ratio = Math.min(2, devicePixelRatio);
  size = { width: innerWidth, height: innerHeight, ratio };
  canvas.width = Math.round(innerWidth * ratio);
  canvas.height = Math.round(innerHeight * ratio);
  dirty = true;
}

const time = (microseconds) =>
  microseconds < 1000 ? `${microseconds.toFixed(0)} µs` : `${(microseconds / 1000).toFixed(1)} ms`;

function show({ answers, alike }) {
  const body = document.getElementById('answers');
  body.replaceChildren(
    ...answers.map(({ name, count, microseconds, cellsTouched }) => {
      const row = document.createElement('tr');
      for (const text of [name, count, time(microseconds), cellsTouched ?? '–']) row.insertCell().textContent = text;
      return row;
    }),
  );
  const verdict = document.getElementById('verdict');
  verdict.className = alike ? 'alike' : 'apart';
  verdict.textContent = alike ? '✓ All four answer alike.' : '✗ The answers differ.';
}

/** One question at a time; the latest place is what counts. */
let asking = false;
async function ask() {
  if (asking || pointer === null) return;
  asking = true;
  try {
    const { lat, lon } = toPosition(pointer.x, pointer.y);
    const question = document.querySelector('[name=question]:checked').value;
    const response = await fetch(`near?lat=${lat}&lon=${lon}&${question}`);
    if (response.ok) {
      near = { lat, lon, ...(await response.json()) };
      show(near);
      dirty = true;
    }
  } catch {
    document.getElementById('verdict').textContent = 'The server does not answer.';
  } finally {
    asking = false;
  }
}

async function refresh() {
  try {
    drivers = new Float32Array(await (await fetch('drivers')).arrayBuffer());
    dirty = true;
  } catch {
    // Said by the next question.
  }
  setTimeout(refresh, 1000);
}

const touches = new Map();
function zoom(x, y, factor) {
  const scale = Math.max(0.01, Math.min(2, view.scale * factor));
  view.x += (x - size.width / 2) * (1 / view.scale - 1 / scale);
  view.y -= (y - size.height / 2) * (1 / view.scale - 1 / scale);
  view.scale = scale;
  dirty = true;
}
canvas.addEventListener('pointerdown', (event) => {
  canvas.setPointerCapture(event.pointerId);
  touches.set(event.pointerId, event);
  pointer = { x: event.clientX, y: event.clientY };
  void ask();
});
canvas.addEventListener('pointermove', (event) => {
  const before = touches.get(event.pointerId);
  if (before !== undefined) {
    const other = [...touches.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    if (other === undefined) {
      view.x -= (event.clientX - before.clientX) / view.scale;
      view.y += (event.clientY - before.clientY) / view.scale;
    } else {
      const gap = (touch) => Math.hypot(touch.clientX - other.clientX, touch.clientY - other.clientY);
      const middle = [(event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2];
      zoom(...middle, gap(event) / Math.max(1, gap(before)));
    }
    touches.set(event.pointerId, event);
    dirty = true;
  }
  pointer = { x: event.clientX, y: event.clientY };
  void ask();
});
for (const end of ['pointerup', 'pointercancel']) {
  canvas.addEventListener(end, (event) => touches.delete(event.pointerId));
}
canvas.addEventListener(
  'wheel',
  (event) => {
    event.preventDefault();
    zoom(event.clientX, event.clientY, Math.exp(-event.deltaY / 500));
  },
  { passive: false },
);
document.querySelector('main').addEventListener('change', () => {
  dirty = true;
  void ask();
});
addEventListener('resize', resize);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (dirty = true));

view.scale = Math.min(innerWidth, innerHeight) / (1.3 * city.reachM);
// On a phone the panel has the lower part of the screen.
if (innerWidth <= 640) view.y = (-0.17 * innerHeight) / view.scale;
resize();
setInterval(ask, 1000);
await refresh();
draw();
