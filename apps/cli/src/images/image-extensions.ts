/** Extensions of files in a folder that are read: those of the formats that can be decoded, and their variants. */
export const IMAGE_EXTENSIONS: ReadonlySet<string> = new Set([
  ...['.jpg', '.jpeg', '.jpe', '.jfif', '.jif', '.jfi', '.pjpeg', '.pjp', '.mpo'],
  ...['.png', '.apng'],
  '.webp',
  '.gif',
  ...['.tif', '.tiff'],
  ...['.avif', '.avifs'],
]);

/** Extensions of other images. Such files in a folder are counted, not read. */
export const OTHER_IMAGE_EXTENSIONS: ReadonlySet<string> = new Set([
  // Photographs of phones and successors of JPEG.
  ...['.heic', '.heics', '.heif', '.heifs', '.hif', '.jxl', '.jp2', '.j2k', '.j2c', '.jpc', '.jpf', '.jpx', '.jpm'],
  ...['.jxr', '.hdp', '.wdp', '.jls', '.bpg', '.flif'],
  // Raw photographs.
  ...['.3fr', '.arw', '.cr2', '.cr3', '.crw', '.dcr', '.dng', '.erf', '.fff', '.iiq', '.k25', '.kdc', '.mef', '.mos'],
  ...['.mrw', '.nef', '.nrw', '.orf', '.pef', '.raf', '.raw', '.rw2', '.rwl', '.sr2', '.srf', '.srw', '.x3f'],
  // Bitmaps.
  ...['.bmp', '.dib', '.ico', '.cur', '.icns', '.tga', '.pcx', '.dds', '.qoi', '.sgi', '.ras', '.xbm', '.xpm', '.mng'],
  ...['.pbm', '.pgm', '.ppm', '.pnm', '.pam', '.pfm', '.exr', '.hdr', '.dcm', '.fits', '.fit', '.jng'],
  // Drawings and documents of image editors.
  ...['.svg', '.svgz', '.eps', '.wmf', '.emf', '.psd', '.psb', '.xcf', '.kra', '.ora'],
]);

/** What to do with images that are not read. */
export const CONVERT = 'Convert them to JPEG, PNG, WebP, GIF, TIFF or AVIF';

/** Files by extension, the most frequent first: `3 files with .heic, .bmp`. */
export function describeOthers(paths: ReadonlySet<string>): string {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const extension = extensionOf(path);
    counts.set(extension, (counts.get(extension) ?? 0) + 1);
  }
  const extensions = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([extension]) => extension);
  return `${paths.size} ${paths.size === 1 ? 'file' : 'files'} with ${extensions.join(', ')}`;
}

/** The extension of a file in lower case, with its dot. */
export function extensionOf(path: string): string {
  return /\.[^./\\]*$/.exec(path)?.[0].toLowerCase() ?? '';
}
