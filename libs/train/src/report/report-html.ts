import type { StepReport } from '../run/step-log.ts';
import type { ValidationReport } from '../validation/validation-report.ts';

/** What a report shows. */
export interface ReportContent {
  readonly title: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly steps: readonly StepReport[];
  readonly validations: readonly ValidationReport[];
  /** Images of the samples as data URLs, by name. */
  readonly images: ReadonlyMap<string, string>;
}

/** Points of a curve, from left to right. */
type Point = readonly [x: number, y: number];

const [WIDTH, HEIGHT, MARGIN] = [720, 220, 44];
/** More points than pixels are not visible. */
const MOST_POINTS = 720;

/** One page with curves, settings and sample texts. It loads nothing. */
export function reportHtml({ title, settings, steps, validations, images }: ReportContent): string {
  const curves = [
    curve('Loss', thinned(steps.map(({ step, loss }) => [step, loss])), true),
    curve('Norm of the gradients', thinned(steps.map(({ step, norm }) => [step, norm])), true),
    curve('Learning rate', thinned(steps.map(({ step, learningRate }) => [step, learningRate])), false),
    curve(
      'Validation: loss',
      validations.map(({ step, loss }) => [step, loss]),
      true,
    ),
    curve(
      'Validation: CIDEr',
      validations.map(({ step, cider }) => [step, cider ?? Number.NaN]),
      false,
    ),
    curve(
      'Validation: texts right',
      validations.map(({ step, exactMatch }) => [step, exactMatch]),
      false,
    ),
  ];
  const rows = Object.entries(settings).map(
    ([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(show(value))}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title><style>
body{font:15px/1.45 system-ui,sans-serif;max-width:760px;margin:2em auto;padding:0 1em;color:#222}
svg{width:100%;height:auto}path{fill:none;stroke:#2a6fb0;stroke-width:1.5}text{font-size:11px;fill:#555}
line{stroke:#ccc}th,td{text-align:left;padding:.2em .8em .2em 0;vertical-align:top}img{max-height:96px}
.wrong{color:#b03020}</style></head><body>
<h1>${escaped(title)}</h1>
${curves.join('')}${samples(validations, images)}<h2>Settings</h2><table>${rows.join('')}</table>
</body></html>
`;
}

function samples(validations: readonly ValidationReport[], images: ReportContent['images']): string {
  const last = validations.findLast(({ isBest }) => isBest) ?? validations.at(-1);
  if (!last) return '';
  const rows = last.samples.map(({ image, question, expected, generated }) => {
    const source = images.get(image);
    const shown = source === undefined ? escaped(image) : `<img alt="${escaped(image)}" src="${escaped(source)}">`;
    const kind = generated === expected ? '' : ' class="wrong"';
    const cells = [shown, escaped(question ?? ''), escaped(expected)].map((cell) => `<td>${cell}</td>`);
    return `<tr>${cells.join('')}<td${kind}>${escaped(generated)}</td></tr>`;
  });
  const titles = ['image', 'question', 'expected', 'generated'].map((name) => `<th>${name}</th>`);
  return `<h2>Texts after step ${last.step}</h2><table><tr>${titles.join('')}</tr>${rows.join('')}</table>`;
}

/** A curve as SVG; on a logarithmic axis if wanted and all values are above 0. */
function curve(name: string, points: readonly Point[], isLogarithmic: boolean): string {
  const finite = points.filter(([, y]) => Number.isFinite(y));
  if (finite.length < 2) return '';
  const isLog = isLogarithmic && finite.every(([, y]) => y > 0);
  const scaled = finite.map(([x, y]): Point => [x, isLog ? Math.log10(y) : y]);
  const [xs, ys] = [scaled.map(([x]) => x), scaled.map(([, y]) => y)];
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const at = ([x, y]: Point): string => {
    const across = MARGIN + ((x - left) / (right - left || 1)) * (WIDTH - 2 * MARGIN);
    const up = HEIGHT - MARGIN / 2 - ((y - low) / (high - low || 1)) * (HEIGHT - MARGIN);
    return `${across.toFixed(1)} ${up.toFixed(1)}`;
  };
  const label = (value: number): string => (isLog ? 10 ** value : value).toPrecision(3);
  return `<h2>${escaped(name)}</h2><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(name)}">
<line x1="${MARGIN}" y1="${HEIGHT - MARGIN / 2}" x2="${WIDTH - MARGIN}" y2="${HEIGHT - MARGIN / 2}"/>
<path d="M${scaled.map(at).join('L')}"/><text x="0" y="${MARGIN / 2 + 4}">${label(high)}</text>
<text x="0" y="${HEIGHT - MARGIN / 2}">${label(low)}</text><text x="${MARGIN}" y="${HEIGHT - 6}">${left}</text>
<text x="${WIDTH - MARGIN}" y="${HEIGHT - 6}" text-anchor="end">${right}</text></svg>
`;
}

/** At most `MOST_POINTS`, each the mean of its neighbours. */
function thinned(points: readonly Point[]): Point[] {
  const size = Math.ceil(points.length / MOST_POINTS);
  return Array.from({ length: Math.ceil(points.length / size) || 0 }, (_, index) => {
    const slice = points.slice(index * size, (index + 1) * size);
    return [slice.at(-1)?.[0] ?? 0, slice.reduce((sum, [, y]) => sum + y, 0) / slice.length];
  });
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
