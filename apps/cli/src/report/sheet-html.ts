import type { Failure } from '../failure.ts';
import { oneLine } from '../output/one-line.ts';
import { escapeHtml } from './escape-html.ts';

/** A text about an image, under what was asked for where anything was. */
export interface SheetText {
  readonly label?: string;
  readonly text: string;
}
/** A JPEG and its size in pixels. */
export interface Thumbnail {
  readonly jpeg: Uint8Array;
  readonly width: number;
  readonly height: number;
}
/** An image on the sheet. */
export interface SheetImage {
  readonly name: string;
  readonly texts: readonly SheetText[];
  readonly thumbnail?: Thumbnail | undefined;
  /** Why nothing could be said about it. */
  readonly failure?: Failure | undefined;
}
/** What a sheet says about itself. */
export interface SheetTitle {
  readonly command: string;
  readonly model: string;
  readonly dtype: string | undefined;
}
export interface SheetCount {
  readonly shown: number;
  readonly failed: number;
  readonly whole: boolean;
}

/** Nothing is loaded and nothing runs, whatever names and texts hold. */
const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

const STYLE = `
:root { color-scheme: light dark; --page: #f6f6f4; --card: #fff; --ink: #1c1c1a; --soft: #6b6b66; --line: #e2e2dd; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #161615; --card: #222220; --ink: #ecece8; --soft: #a0a09a; --line: #34342f; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem; display: flex; flex-direction: column; background: var(--page); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
header, footer { order: -1; }
h1 { margin: 0; font-size: 1.25rem; }
p { margin: 0; }
header p, footer p, .name, .label { color: var(--soft); font-size: .85rem; }
footer { margin-bottom: 1.25rem; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; content-visibility: auto; contain-intrinsic-size: auto 18rem; }
.frame { height: 12rem; display: grid; place-items: center; background: var(--page); }
img { max-width: 100%; max-height: 12rem; width: auto; height: auto; display: block; }
figcaption { padding: .6rem .8rem .8rem; overflow-wrap: anywhere; }
.label { margin-top: .4rem; }
.name { margin-top: .5rem; font-family: ui-monospace, monospace; font-size: .75rem; }
.failed { border-color: var(--bad); }
.bad { color: var(--bad); }
@media print { body { padding: 0; } figure { break-inside: avoid; } }
`;

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
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1><p>${shown(how)}</p></header>
<main>
`;
}

/** One image. */
export function sheetCard({ name, texts, thumbnail, failure }: SheetImage): string {
  const lines = failure ? [`<p class="bad">${shown(`${failure.code}: ${failure.message}`)}</p>`] : texts.map(textHtml);
  const caption = `<figcaption>${lines.join('')}<p class="name">${shown(name)}</p></figcaption>`;
  return `<figure${failure ? ' class="failed"' : ''}><div class="frame">${thumbnail ? imageHtml(thumbnail, texts) : ''}</div>${caption}</figure>\n`;
}

/** Everything after the last image; the style shows it at the top. */
export function sheetFoot({ shown: images, failed, whole }: SheetCount): string {
  const failures = failed > 0 ? `, <span class="bad">${failed} failed</span>` : '';
  return `</main>\n<footer><p>${images} ${images === 1 ? 'image' : 'images'}${failures}${whole ? '' : ', interrupted: not all of them'}</p></footer>\n</body>\n</html>\n`;
}

function textHtml({ label, text }: SheetText): string {
  return `${label === undefined ? '' : `<p class="label">${shown(label)}</p>`}<p>${shown(text)}</p>`;
}

function imageHtml({ jpeg, width, height }: Thumbnail, texts: readonly SheetText[]): string {
  const alternative = escapeHtml(oneLine(texts.map(({ text }) => text).join('; ')));
  return `<img src="data:image/jpeg;base64,${Buffer.from(jpeg).toString('base64')}" width="${width}" height="${height}" alt="${alternative}" loading="lazy" decoding="async">`;
}

/** Control characters as escapes; writing from right to left stays within its own text. */
function shown(text: string): string {
  return `<bdi>${escapeHtml(oneLine(text))}</bdi>`;
}
