import type { Failure } from '../failure.ts';
import type { Thumbnail } from '../images/image-port.ts';
import { withoutControls } from '../output/display-text.ts';
import { SHEET_STYLE } from './sheet-style.ts';

/** A text about an image, and its question if it answers one. */
export interface SheetText {
  readonly label?: string;
  readonly text: string;
}
/** An image on the sheet. */
export interface SheetImage {
  readonly name: string;
  readonly texts: readonly SheetText[];
  readonly thumbnail?: Thumbnail | undefined;
  /** Why the image has no texts. */
  readonly failure?: Failure | undefined;
}
/** Heading of a sheet. */
export interface SheetTitle {
  readonly command: string;
  readonly model: string;
  readonly dtype: string | undefined;
}
export interface SheetCount {
  readonly shown: number;
  readonly failed: number;
  /** Whether the run finished. */
  readonly whole: boolean;
}

/** Prevents the page from loading or running anything, whatever names and texts contain. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/** Everything before the first image. */
export function sheetHead({ command, model, dtype }: SheetTitle): string {
  const title = `blip2 ${command}`;
  const how = dtype === undefined ? model : `${model}, ${dtype}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(POLICY)}">
<title>${escapeHtml(title)}</title>
<style>${SHEET_STYLE}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1><p>${shown(how)}</p></header>
<main>
`;
}

/** One image. */
export function sheetCard({ name, texts, thumbnail, failure }: SheetImage): string {
  const lines = failure ? [`<p class="bad">${shown(`${failure.code}: ${failure.message}`)}</p>`] : texts.map(textHtml);
  const frame = `<div class="frame">${thumbnail ? imageHtml(thumbnail, texts) : ''}</div>`;
  const caption = `<figcaption>${lines.join('')}<p class="name">${shown(name)}</p></figcaption>`;
  return `<figure${failure ? ' class="failed"' : ''}>${frame}${caption}</figure>\n`;
}

/** Everything after the last image. The style sheet displays it at the top. */
export function sheetFoot({ shown: images, failed, whole }: SheetCount): string {
  const failures = failed > 0 ? `, <span class="bad">${failed} failed</span>` : '';
  const rest = whole ? '' : ', interrupted: not all images';
  const counts = `${images} ${images === 1 ? 'image' : 'images'}${failures}${rest}`;
  return `</main>\n<footer><p>${counts}</p></footer>\n</body>\n</html>\n`;
}

function textHtml({ label, text }: SheetText): string {
  return `${label === undefined ? '' : `<p class="label">${shown(label)}</p>`}<p>${shown(text)}</p>`;
}

function imageHtml({ jpeg, width, height }: Thumbnail, texts: readonly SheetText[]): string {
  const source = `data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}`;
  const alternative = escapeHtml(withoutControls(texts.map(({ text }) => text).join('; ')));
  const size = `width="${width}" height="${height}"`;
  return `<img src="${source}" ${size} alt="${alternative}" loading="lazy" decoding="async">`;
}

/** Escapes control characters, and isolates right-to-left text from the text around it. */
function shown(text: string): string {
  return `<bdi>${escapeHtml(withoutControls(text))}</bdi>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
