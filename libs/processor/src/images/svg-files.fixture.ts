import { gzipSync } from 'node:zlib';

const TAIL = '<rect width="64" height="48" fill="red"/></svg>';
/** 64 x 48 pixels, all red. */
export const SVG: string = `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48">${TAIL}`;
/** Seconds of noise for a renderer, in some 200 bytes. */
export const NOISE: string = `<!--ftypavif--><svg xmlns="http://www.w3.org/2000/svg" width="2000" height="2000">
<filter id="f"><feTurbulence baseFrequency=".9" numOctaves="99"/></filter>
<rect width="2000" height="2000" filter="url(#f)"/></svg>`;
const CDATA = `<!--ftypavif-->${SVG.replace(TAIL, '<![CDATA[ftypavif]]>')}${TAIL}`;
const PREFIXED = '<s:svg xmlns:s="http://www.w3.org/2000/svg" width="64" height="48"/>';
const DOCTYPE = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">';

function utf16be(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

/** A gzip header whose time stamp is `ftyp`, and whose other fields and file name spell a brand. */
function gzipped(text: string): Buffer {
  return Buffer.concat([Buffer.from('\x1f\x8b\x08\x08ftypavif\0', 'latin1'), gzipSync(text).subarray(10)]);
}

const FILES: readonly (readonly [what: string, bytes: Buffer, named?: string])[] = [
  ['a comment with avif', Buffer.from(`<!--ftypavif-->${SVG}`)],
  ['a comment with mif1 and avif', Buffer.from(`<!--ftypmif1    avif    -->${SVG}`)],
  ['a comment with mif1', Buffer.from(`<!--ftypmif1-->${SVG}`)],
  ['a comment with avis', Buffer.from(`<!--ftypavis-->${SVG}`)],
  ['a comment with other brands, then avif', Buffer.from(`<!--ftypabcd    avifmif1-->${SVG}`)],
  ['a processing instruction', Buffer.from(`<?m ftypavif?>${SVG}`)],
  ['a comment, then a doctype', Buffer.from(`<!--ftypavif-->${DOCTYPE}${SVG}`)],
  ['a processing instruction, then a doctype', Buffer.from(`<?m ftypavif?>${DOCTYPE}${SVG}`)],
  ['a line break, then a processing instruction', Buffer.from(`\n<?xftypavif?>${SVG}`)],
  ['white space, then a comment', Buffer.from(` \t\r\n<!--ftypavif-->${SVG}`)],
  ['a byte order mark, then an element', Buffer.from(`\ufeff<ftypavif>${SVG}</ftypavif>`)],
  ['a byte order mark, then a comment', Buffer.from(`\ufeff<!--ftypavif-->${SVG}`)],
  ['CDATA', Buffer.from(CDATA)],
  ['a namespace prefix', Buffer.from(`<?m ftypavif?>${PREFIXED}`)],
  ['a root element out of sight', Buffer.from(`<!--ftypavif${' '.repeat(3000)}-->${SVG}`), 'XML or HTML'],
  ['a declaration', Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${SVG}`)],
  ['UTF-16LE', Buffer.from(`\ufeff${SVG}`, 'utf16le')],
  ['UTF-16LE without a mark', Buffer.from(SVG, 'utf16le')],
  ['UTF-16BE', utf16be(`\ufeff${SVG}`)],
  ['UTF-16BE without a mark', utf16be(SVG)],
  ['gzip', gzipSync(SVG), 'gzip (SVGZ)'],
  ['gzip with a brand in its header', gzipped(SVG), 'gzip (SVGZ)'],
  ['noise', Buffer.from(NOISE)],
];

/** SVG disguised as AVIF, and SVG in other encodings, with the format that the error must name. */
export const SVG_FILES: readonly (readonly [what: string, bytes: Buffer, named: string])[] = FILES.map(
  ([what, bytes, named = 'SVG']) => [what, bytes, named],
);
