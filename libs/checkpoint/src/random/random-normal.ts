/*
 * Random numbers for initial weights, reproducible on every platform: sfc32 (Chris Doty-Humphrey; 128 bits of state,
 * passes PractRand) with the ziggurat method (Marsaglia and Tsang 2000). It uses 256 layers, and different bits of a
 * draw for layer and value (Doornik 2005). About 100 million values per second.
 */

const ZIGGURAT_LAYERS = 256;
/** Start of the tail, for 256 layers. */
const TAIL = 3.6541528853610088;
/** Area of each layer. */
const AREA = 0.00492867323399;
/** A draw consists of 8 bits for the layer and 24 for the signed value. */
const VALUE_SCALE = 2 ** -23;

const density = (x: number): number => Math.exp(-0.5 * x * x);

function edgeTable(): Float64Array {
  const edges = new Float64Array(ZIGGURAT_LAYERS + 1);
  edges[0] = AREA / density(TAIL);
  edges[1] = TAIL;
  for (let i = 2; i < ZIGGURAT_LAYERS; i++) {
    const previous = edges[i - 1] ?? 0;
    edges[i] = Math.sqrt(-2 * Math.log(AREA / previous + density(previous)));
  }
  return edges;
}
/** Right edges of the layers. */
const edges = edgeTable();

/** State of one stream: three words and a counter. */
export type RandomState = Uint32Array;

/** Initial state of the stream for a seed and a tensor name. */
export function randomState(seed: number, name: string): RandomState {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  const state = Uint32Array.of(seed, Math.floor(seed / 2 ** 32), hash, 1);
  // sfc32 needs about a dozen draws to mix seeds with few bits.
  for (let i = 0; i < 16; i++) draw(state);
  return state;
}

function draw(state: RandomState): number {
  const a = state[0] ?? 0,
    b = state[1] ?? 0,
    c = state[2] ?? 0,
    counter = state[3] ?? 0;
  const result = (a + b + counter) | 0;
  state[3] = counter + 1;
  state[0] = b ^ (b >>> 9);
  state[1] = c + (c << 3);
  state[2] = ((c << 21) | (c >>> 11)) + result;
  return result;
}

/** Uniform in (0, 1). */
function uniform(state: RandomState): number {
  return ((draw(state) >>> 0) + 0.5) * 2 ** -32;
}

/** Fills `target` with draws from the normal distribution with this standard deviation and mean. */
export function fillNormal(target: Float32Array, state: RandomState, std: number, mean: number): void {
  // Local variables for speed: this loop fills gigabytes.
  let a = state[0] ?? 0,
    b = state[1] ?? 0,
    c = state[2] ?? 0,
    counter = state[3] ?? 0;
  for (let i = 0; i < target.length; i++) {
    const bits = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + bits) | 0;
    const layer = bits & (ZIGGURAT_LAYERS - 1);
    let value = ((bits >> 8) + 0.5) * VALUE_SCALE * (edges[layer] ?? 0);
    if (Math.abs(value) >= (edges[layer + 1] ?? 0)) {
      state.set([a, b, c, counter]);
      value = outside(state, layer, value);
      a = state[0] ?? 0;
      b = state[1] ?? 0;
      c = state[2] ?? 0;
      counter = state[3] ?? 0;
    }
    target[i] = value * std + mean;
  }
  state.set([a, b, c, counter]);
}

/** The rare case (1.5 %): a point outside the rectangle of its layer. */
function outside(state: RandomState, firstLayer: number, firstValue: number): number {
  for (let layer = firstLayer, value = firstValue; ;) {
    if (layer === 0 && Math.abs(value) >= TAIL) return Math.sign(value) * tailValue(state);
    const inner = density(edges[layer + 1] ?? 0),
      outer = density(edges[layer] ?? 0);
    if (
      Math.abs(value) < (edges[layer + 1] ?? 0) ||
      (layer > 0 && outer + uniform(state) * (inner - outer) < density(value))
    )
      return value;
    const bits = draw(state);
    layer = bits & (ZIGGURAT_LAYERS - 1);
    value = ((bits >> 8) + 0.5) * VALUE_SCALE * (edges[layer] ?? 0);
  }
}

/** A value in the tail (Marsaglia 1964). */
function tailValue(state: RandomState): number {
  for (;;) {
    const x = -Math.log(uniform(state)) / TAIL;
    if (-2 * Math.log(uniform(state)) > x * x) return TAIL + x;
  }
}
