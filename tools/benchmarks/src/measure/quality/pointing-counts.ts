import type { SceneObject } from './evaluation.ts';

/** A map over the image, `[rows, columns]`. */
export interface ImageMap {
  readonly dims: readonly [rows: number, columns: number];
  readonly data: ArrayLike<number>;
}

/** How often the maximum of a map was on a target. */
interface Hits {
  hits: number;
  of: number;
}

/** The result of one test. */
export interface PointingResult {
  readonly about: string;
  /** The mean share of the image that the targets cover. */
  readonly chance: number;
  readonly maps: Readonly<Record<string, Hits & { readonly share: number }>>;
}

/** Side of the canvas on which the positions of objects are given, whatever the size of the image file. */
const CANVAS = 64;

/** Counts the hits of maps in one test. A map hits if the centre of its brightest cell is inside a target's circle. */
export class PointingCounts {
  readonly #about: string;
  readonly #chances: number[] = [];
  readonly #maps = new Map<string, Hits>();

  /** @param about What the maps should point at. */
  constructor(about: string) {
    this.#about = about;
  }

  /** Adds a map; `name` says how it was computed. */
  record(name: string, map: ImageMap, targets: readonly SceneObject[]): void {
    const counts = this.#maps.get(name) ?? { hits: 0, of: 0 };
    const { x, y } = maximum(map);
    const hit = targets.some((target) => isInside(target, x, y));
    this.#maps.set(name, { hits: counts.hits + Number(hit), of: counts.of + 1 });
  }

  /** Adds the share of the canvas that targets cover. */
  recordChance(targets: readonly SceneObject[]): void {
    let covered = 0;
    for (let row = 0; row < CANVAS; row++)
      for (let column = 0; column < CANVAS; column++)
        if (targets.some((target) => isInside(target, column + 0.5, row + 0.5))) covered++;
    this.#chances.push(covered / CANVAS ** 2);
  }

  result(): PointingResult {
    const chance = this.#chances.reduce((sum, each) => sum + each, 0) / this.#chances.length;
    const maps = [...this.#maps].map(([name, { hits, of }]) => [name, { hits, of, share: thousandth(hits / of) }]);
    return { about: this.#about, chance: thousandth(chance), maps: Object.fromEntries(maps) };
  }
}

/** The centre of the brightest cell, on the canvas. */
function maximum({ dims: [rows, columns], data }: ImageMap): { readonly x: number; readonly y: number } {
  let at = 0;
  for (let i = 1; i < data.length; i++) if (data[i]! > data[at]!) at = i;
  return { x: (((at % columns) + 0.5) / columns) * CANVAS, y: ((Math.floor(at / columns) + 0.5) / rows) * CANVAS };
}

function isInside(object: SceneObject, x: number, y: number): boolean {
  return Math.hypot(x - object.x, y - object.y) <= object.r;
}

function thousandth(value: number): number {
  return Number(value.toFixed(3));
}
