/** Small plots as SVG text: panels of lines, and bars. Colours that colour-blind eyes tell apart (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00'];
const FONT = 'font-family="system-ui, sans-serif" font-size="12" fill="#222"';
const PANEL = { width: 330, height: 230, left: 70, right: 14, top: 34, bottom: 42 };
const COLUMNS = 2;
/** Pixels. */
const LEAST_LABEL_DISTANCE = 22;

/**
 * Panels with one axis each: `[{ title, x, y, lines: [{ name, points: [[x, y], …] }], logarithmic }]`; `x` and `y` say
 * what the axes are. Both axes begin at 0, or are logarithmic in `x`.
 */
export function panelsSvg(title, panels) {
  const rows = Math.ceil(panels.length / COLUMNS);
  const [width, height] = [COLUMNS * PANEL.width, 30 + rows * PANEL.height];
  const drawn = panels.map(
    (panel, index) =>
      `<g transform="translate(${(index % COLUMNS) * PANEL.width} ${30 + Math.floor(index / COLUMNS) * PANEL.height})">\n${panelSvg(panel)}\n</g>`,
  );
  return document_(width, height, title, drawn);
}

function panelSvg({ title, x, y, lines, logarithmic = false }) {
  const points = lines.flatMap((line) => line.points);
  const xs = [...new Set(points.map(([value]) => value))].sort((a, b) => a - b);
  const ticks = niceTicks(Math.max(...points.map(([, value]) => value)));
  const [x0, x1, y0, y1] = [PANEL.left, PANEL.width - PANEL.right, PANEL.height - PANEL.bottom, PANEL.top];
  const scale = logarithmic ? Math.log2 : (value) => value;
  const [low, high] = logarithmic ? [scale(xs[0]), scale(xs.at(-1))] : [0, xs.at(-1)];
  const px = (value) => (x0 + ((scale(value) - low) / (high - low || 1)) * (x1 - x0)).toFixed(1);
  const py = (value) => (y0 - (value / ticks.at(-1)) * (y0 - y1)).toFixed(1);
  // Numbers that would overlap the one after them have a tick only.
  const isFree = (value, index) =>
    index === xs.length - 1 || Number(px(xs[index + 1])) - Number(px(value)) > LEAST_LABEL_DISTANCE;
  return [
    text(PANEL.width / 2, 18, title, 'middle', 'font-weight="600"'),
    ...ticks.map(
      (tick) =>
        `<line x1="${x0}" x2="${x1}" y1="${py(tick)}" y2="${py(tick)}" stroke="#ddd"/>${text(x0 - 6, Number(py(tick)) + 4, label(tick), 'end')}`,
    ),
    ...xs.map(
      (value, index) =>
        `<line x1="${px(value)}" x2="${px(value)}" y1="${y0}" y2="${y0 + 4}" stroke="#222"/>${isFree(value, index) ? text(px(value), y0 + 16, label(value), 'middle') : ''}`,
    ),
    `<path d="M${x0} ${y1}V${y0}H${x1}" fill="none" stroke="#222"/>`,
    text((x0 + x1) / 2, y0 + 33, x, 'middle'),
    `<g transform="rotate(-90 9 ${(y0 + y1) / 2})">${text(9, (y0 + y1) / 2, y, 'middle')}</g>`,
    ...lines.map((line, index) => lineSvg(line, COLOURS[index % COLOURS.length], px, py)),
    ...(lines.length > 1
      ? lines.map(
          ({ name }, index) =>
            `<rect x="${x0 + 8}" y="${y1 + 2 + 16 * index}" width="10" height="10" fill="${COLOURS[index % COLOURS.length]}"/>${text(x0 + 23, y1 + 11 + 16 * index, name, 'start')}`,
        )
      : []),
  ].join('\n');
}

function lineSvg({ points }, colour, px, py) {
  const path = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${px(x)} ${py(y)}`).join('');
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${points.map(([x, y]) => `<circle cx="${px(x)}" cy="${py(y)}" r="3" fill="${colour}"/>`).join('')}`;
}

/** Bars below each other, from 0: `[{ name, value, group, text }]`; a group has one colour. */
export function barsSvg(title, bars) {
  const [width, left, line] = [660, 150, 24];
  const groups = [...new Set(bars.map(({ group }) => group))];
  const most = Math.max(...bars.map(({ value }) => value));
  const drawn = bars.map(({ name, value, group, text: label }, index) => {
    const [y, length] = [38 + index * line, (value / most) * (width - left - 80)];
    return `${text(left - 8, y + 13, name, 'end')}<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="17" fill="${COLOURS[groups.indexOf(group)]}"/>${text(left + length + 6, y + 13, label, 'start')}`;
  });
  return document_(width, 48 + bars.length * line, title, drawn);
}

function document_(width, height, title, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}">
<rect width="${width}" height="${height}" fill="#fff"/>
${text(width / 2, 20, title, 'middle', 'font-weight="600"')}
${parts.join('\n')}
</svg>
`;
}

function text(x, y, content, anchor, more = '') {
  return `<text x="${typeof x === 'number' ? Math.round(x * 10) / 10 : x}" y="${y}" text-anchor="${anchor}" ${FONT}${more && ` ${more}`}>${escaped(content)}</text>`;
}

const escaped = (content) => String(content).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const label = (value) => value.toLocaleString('en-US', { maximumFractionDigits: 2 });

/** From 0 to at least `most`, four to six steps of 1, 2 or 5 times a power of ten. */
function niceTicks(most) {
  const rough = most / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step =
    [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.8) ?? 10 * power;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}
