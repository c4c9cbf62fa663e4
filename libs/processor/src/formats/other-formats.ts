/** A format that is not supported: its name, and the bytes at the given offsets, as latin1. */
type Signature = readonly [name: string, ...parts: (readonly [offset: number, text: string])[]];

const at0 = (name: string, ...texts: readonly string[]): readonly Signature[] =>
  texts.map((text) => [name, [0, text]] as const);

/** Signatures of unsupported formats, which errors name. */
const SIGNATURES: readonly Signature[] = [
  ...at0('BMP', 'BM'),
  ...at0('PDF', '%PDF'),
  ...at0('PostScript (EPS)', '%!PS', '\xc5\xd0\xd3\xc6'),
  ...at0('ICO', '\0\0\x01\0'),
  ...at0('CUR', '\0\0\x02\0'),
  ...at0('ICNS', 'icns'),
  ...at0('PSD', '8BPS'),
  ...at0('JPEG XL', '\xff\x0a', '\0\0\0\x0cJXL '),
  ...at0('JPEG 2000', '\0\0\0\x0cjP  ', '\xff\x4f\xff\x51'),
  ...at0('JPEG XR', 'II\xbc'),
  ...at0('JPEG-LS', '\xff\xd8\xff\xf7'),
  ...at0('OpenEXR', '\x76\x2f\x31\x01'),
  ...at0('Radiance HDR', '#?RADIANCE', '#?RGBE'),
  ...at0('DDS', 'DDS '),
  ...at0('QOI', 'qoif'),
  ...at0('FLIF', 'FLIF'),
  ...at0('BPG', 'BPG\xfb'),
  ...at0('MNG', '\x8aMNG', '\x8bJNG'),
  ...at0('SGI', '\x01\xda\0\x01', '\x01\xda\0\x02', '\x01\xda\x01\x01', '\x01\xda\x01\x02'),
  ...at0('PCX', ...['\0', '\x02', '\x03', '\x04', '\x05'].map((version) => `\x0a${version}\x01`)),
  ...at0('DCX', '\xb1\x68\xde\x3a'),
  ...at0('Sun raster', '\x59\xa6\x6a\x95'),
  ...at0('XCF', 'gimp xcf'),
  ...at0('BLP', 'BLP1', 'BLP2'),
  ...at0('FTEX', 'FTC\0', 'FTU\0'),
  ...at0('KTX', '\xabKTX'),
  ...at0('DPX', 'SDPX', 'XPDS'),
  ...at0('Cineon', '\x80\x2a\x5f\xd7'),
  ...at0('WMF', '\xd7\xcd\xc6\x9a'),
  ['EMF', [0, '\x01\0\0\0'], [40, ' EMF']],
  ['FLI', [4, '\x11\xaf']],
  ['FLC', [4, '\x12\xaf']],
  ['GIMP brush', [20, 'GIMP']],
  ...at0('Pixar', '\x80\xe8\0\0'),
  ...at0('MSP', 'DanM', 'LinS'),
  ...at0('XPM', '/* XPM */'),
  ...at0('XBM', '#define '),
  ...at0('IM', 'Image type: '),
  ...at0('FITS', 'SIMPLE  ='),
  ...at0('HDF5', '\x89HDF'),
  ...at0('GRIB', 'GRIB'),
  ...at0('BUFR', 'BUFR'),
  ...at0('DjVu', 'AT&TFORM'),
  ...at0('an OLE file (FPX, MIC)', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'),
  ...at0(
    'a raw photograph',
    'FUJIFILMCCD-RAW',
    'IIRO',
    'IIRS',
    'MMOR',
    'IIU\0',
    'II\x1a\0\0\0HEAPCCDR',
    '\0MRM',
    'FOVb',
  ),
  ...at0('gzip (SVGZ)', '\x1f\x8b'),
  ...at0('libvips', '\x08\xf2\xa6\xb6', '\xb6\xa6\xf2\x08'),
  ...at0('Matroska video', '\x1a\x45\xdf\xa3'),
  ...at0('MPEG video', '\0\0\x01\xb3', '\0\0\x01\xba'),
  ['AVI video', [0, 'RIFF'], [8, 'AVI ']],
];

/** PNM, PAM and PFM: a digit or letter and white space. */
const PNM = /^P[1-7fFy]\s/;
/** Header of 40 bytes, one plane, bits per pixel. */
const DIB = /^\x28\0\0\0[\s\S]{8}\x01\0[\x01\x04\x08\x10\x18\x20]\0/;
/**
 * The header of a TGA file, which has no signature: 18 bytes, of types 1 to 3 and 9 to 11, with or without colour map.
 * The groups are width and height.
 */
const TGA = new RegExp(
  [
    /^[\s\S](?:\0[\x02\x03\x0a\x0b]\0{5}|\x01[\x01\x09][\s\S]{4}[\x0f\x10\x18\x20])/,
    /[\s\S]{4}([\s\S]{2})([\s\S]{2})[\x01\x08\x0f\x10\x18\x20][\x00-\x3f]/,
  ]
    .map(({ source }) => source)
    .join(''),
);

/** Name of the unsupported format of a file, whose first bytes are given as latin1; undefined if unknown. */
export function otherFormat(head: string): string | undefined {
  // First: the header of an uncompressed one is the signature of CUR.
  if (isTga(head)) return 'TGA';
  const [name] = SIGNATURES.find(([, ...parts]) => parts.every(([at, text]) => head.startsWith(text, at))) ?? [];
  if (name !== undefined) return name;
  if (DIB.test(head)) return 'BMP without its file header (DIB)';
  return PNM.test(head) ? 'PNM' : undefined;
}

function isTga(head: string): boolean {
  const [, width = '\0\0', height = '\0\0'] = TGA.exec(head) ?? [];
  return width !== '\0\0' && height !== '\0\0';
}
