/** A point of a line: x and y. */
export type Point = readonly [x: number, y: number];

/** A line of a panel; the name is shown if a panel has several. */
export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
}

/** A plot with two axes that start at 0. */
export interface Panel {
  readonly title: string;
  /** Label of the x axis. */
  readonly x: string;
  /** Label of the y axis. */
  readonly y: string;
  readonly lines: readonly Line[];
  /** Whether the x axis is logarithmic. */
  readonly logarithmic?: boolean;
}

/** A horizontal bar. Bars of one group have one colour. */
export interface Bar {
  readonly name: string;
  readonly group: string;
  readonly value: number;
  /** Label at the end of the bar. */
  readonly text: string;
}

type Anchor = 'start' | 'middle' | 'end';

/** A palette that remains distinguishable with colour-vision deficiency (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00'];
const FONT = 'font-family="system-ui, sans-serif" font-size="12" fill="#222"';
const BOLD = 'font-weight="600"';
const PANEL = { width: 330, height: 230, left: 70, right: 14, top: 34, bottom: 42 };
const PANEL_COLUMNS = 2;
/** Pixels between the labels of two ticks. */
const MIN_LABEL_DISTANCE = 22;

/** Draws panels as SVG text. */
export function panelsSvg(title: string, panels: readonly Panel[]): string {
  const rows = Math.ceil(panels.length / PANEL_COLUMNS);
  const drawn = panels.map((panel, index) => {
    const [x, y] = [(index % PANEL_COLUMNS) * PANEL.width, 30 + Math.floor(index / PANEL_COLUMNS) * PANEL.height];
    return `<g transform="translate(${x} ${y})">\n${panelSvg(panel)}\n</g>`;
  });
  return documentSvg(PANEL_COLUMNS * PANEL.width, 30 + rows * PANEL.height, title, drawn);
}

/** Draws horizontal bars from 0 as SVG text. */
export function barsSvg(title: string, bars: readonly Bar[]): string {
  const [width, left, lineHeight] = [660, 150, 24];
  const groups = [...new Set(bars.map(({ group }) => group))];
  const most = Math.max(...bars.map(({ value }) => value));
  const drawn = bars.map(({ name, value, group, text: label }, index) => {
    const [y, length] = [38 + index * lineHeight, (value / most) * (width - left - 80)];
    const fill = colour(groups.indexOf(group));
    const bar = `<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="17" fill="${fill}"/>`;
    return `${text(left - 8, y + 13, name, 'end')}${bar}${text(left + length + 6, y + 13, label, 'start')}`;
  });
  return documentSvg(width, 48 + bars.length * lineHeight, title, drawn);
}

function panelSvg({ title, x, y, lines, logarithmic = false }: Panel): string {
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map(([value]) => value))].sort((a, b) => a - b);
  const ticks = niceTicks(Math.max(...points.map(([, value]) => value)));
  const [x0, x1, y0, y1] = [PANEL.left, PANEL.width - PANEL.right, PANEL.height - PANEL.bottom, PANEL.top];
  const scale = (value: number): number => (logarithmic ? Math.log2(value) : value);
  const [low, high] = [logarithmic ? scale(xs[0] ?? 1) : 0, scale(xs.at(-1) ?? 1)];
  const px = (value: number): string => (x0 + ((scale(value) - low) / (high - low || 1)) * (x1 - x0)).toFixed(1);
  const py = (value: number): string => (y0 - (value / (ticks.at(-1) ?? 1)) * (y0 - y1)).toFixed(1);
  // A label that would overlap the next one is left out; its tick stays.
  const hasLabel = (value: number, index: number): boolean => {
    const next = xs[index + 1];
    return next === undefined || Number(px(next)) - Number(px(value)) > MIN_LABEL_DISTANCE;
  };
  const yTick = (tick: number): string =>
    `<line x1="${x0}" x2="${x1}" y1="${py(tick)}" y2="${py(tick)}" stroke="#ddd"/>` +
    text(x0 - 6, Number(py(tick)) + 4, shown(tick), 'end');
  const xTick = (value: number, index: number): string =>
    `<line x1="${px(value)}" x2="${px(value)}" y1="${y0}" y2="${y0 + 4}" stroke="#222"/>` +
    (hasLabel(value, index) ? text(px(value), y0 + 16, shown(value), 'middle') : '');
  const legend = ({ name }: Line, index: number): string =>
    `<rect x="${x0 + 8}" y="${y1 + 2 + 16 * index}" width="10" height="10" fill="${colour(index)}"/>` +
    text(x0 + 23, y1 + 11 + 16 * index, name, 'start');
  return [
    text(PANEL.width / 2, 18, title, 'middle', BOLD),
    ...ticks.map(yTick),
    ...xs.map(xTick),
    `<path d="M${x0} ${y1}V${y0}H${x1}" fill="none" stroke="#222"/>`,
    text((x0 + x1) / 2, y0 + 33, x, 'middle'),
    `<g transform="rotate(-90 9 ${(y0 + y1) / 2})">${text(9, (y0 + y1) / 2, y, 'middle')}</g>`,
    ...lines.map((line, index) => lineSvg(line, colour(index), px, py)),
    ...(lines.length > 1 ? lines.map(legend) : []),
  ].join('\n');
}

function lineSvg(
  { points }: Line,
  stroke: string,
  px: (value: number) => string,
  py: (value: number) => string,
): string {
  const path = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${px(x)} ${py(y)}`).join('');
  const circles = points.map(([x, y]) => `<circle cx="${px(x)}" cy="${py(y)}" r="3" fill="${stroke}"/>`);
  return `<path d="${path}" fill="none" stroke="${stroke}" stroke-width="2"/>${circles.join('')}`;
}

function documentSvg(width: number, height: number, title: string, parts: readonly string[]): string {
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escaped(title)}">
<rect width="${width}" height="${height}" fill="#fff"/>
${text(width / 2, 20, title, 'middle', BOLD)}
${parts.join('\n')}
</svg>
`;
}

function text(x: number | string, y: number, content: string, anchor: Anchor, more = ''): string {
  const left = typeof x === 'number' ? Math.round(x * 10) / 10 : x;
  const style = `text-anchor="${anchor}" ${FONT}${more && ` ${more}`}`;
  return `<text x="${left}" y="${y}" ${style}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function shown(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}

function colour(index: number): string {
  return COLOURS[index % COLOURS.length] ?? '';
}

/** Ticks from 0 to at least `most`: four to six steps of 1, 2 or 5 times a power of ten. */
function niceTicks(most: number): readonly number[] {
  const rough = most / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough * 0.8) ?? 10 * power;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}
