import { parseGifFrame } from '../formats/gif-frame.ts';
import { tiffSize } from '../formats/tiff-directory.ts';
import { hasTiffSignature } from '../formats/tiff-header.ts';

/** Markers of JPEG segments with the image size: start of frame, without DHT, JPG and DAC. */
const START_OF_FRAME: ReadonlySet<number> = new Set([
  0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf,
]);

/**
 * The number of pixels of an encoded image as its header declares it; Infinity if it is not found. Decides only where
 * the image is decoded: the limits are those of the decoder.
 */
export function estimatePixels(bytes: Uint8Array): number {
  if (bytes.length < 32) return isGif(bytes) ? gifPixels(bytes) : 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, 32).toString('latin1');
  if (head.startsWith('\x89PNG')) return view.getUint32(16) * view.getUint32(20);
  if (isGif(bytes)) return gifPixels(bytes);
  if (head.startsWith('\xff\xd8')) return jpegPixels(view);
  if (head.startsWith('VP8X', 12)) return (uint24(view, 24) + 1) * (uint24(view, 27) + 1);
  if (head.startsWith('VP8 ', 12)) return (view.getUint16(26, true) & 0x3fff) * (view.getUint16(28, true) & 0x3fff);
  if (head.startsWith('VP8L', 12)) return losslessWebpPixels(view.getUint32(21, true));
  const [width, height] = (hasTiffSignature(head) && tiffSize(bytes)) || [Number.POSITIVE_INFINITY, 1];
  return width * height;
}

function isGif(bytes: Uint8Array): boolean {
  return bytes[0] === 0x47 && bytes[1] === 0x49 && bytes[2] === 0x46;
}

function gifPixels(bytes: Uint8Array): number {
  const { width, height } = parseGifFrame(bytes) ?? { width: 0, height: 0 };
  return width * height;
}

function jpegPixels(view: DataView): number {
  for (let at = 2; at + 9 <= view.byteLength; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff || marker === 0xda) break;
    if (START_OF_FRAME.has(marker)) return view.getUint16(at + 5) * view.getUint16(at + 7);
  }
  return Number.POSITIVE_INFINITY;
}

function losslessWebpPixels(size: number): number {
  return ((size & 0x3fff) + 1) * (((size >>> 14) & 0x3fff) + 1);
}

function uint24(view: DataView, at: number): number {
  return view.getUint16(at, true) + view.getUint8(at + 2) * 2 ** 16;
}
