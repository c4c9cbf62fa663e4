import { describe, expect, test } from 'vitest';

import { decodePath, fileOfName, nameOfPath, pathOfName, sourceOfPath, systemPath } from './path-names.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Bytes of a path as latin1, and its name. */
const PATHS: readonly (readonly [string, string])[] = [
  ['caf\xe9.png', '/in/caf\\xe9.png'],
  ['caf\xc3\xa9.png', '/in/café.png'],
  ['\xf0\x9f\x98\x80\xe9', '/in/😀\\xe9'],
  ['\xed\xb3\xa9.png', '/in/\\xed\\xb3\\xa9.png'],
  ['\xf4\x90\x80\x80\xc0\x80', '/in/\\xf4\\x90\\x80\\x80\\xc0\\x80'],
  ['\x83e\x83X\x83g.jpg', '/in/\\x83e\\x83X\\x83g.jpg'],
  ['a\\b.png', '/in/a\\b.png'],
  ['a\\b\xe9', '/in/a\\\\b\\xe9'],
  // The characters of an escape.
  ['caf\\xe9.png', '/in/caf\\\\xe9.png'],
  ['caf\\\\xe9.png', '/in/caf\\\\\\\\xe9.png'],
  ['a\nb\x1b', '/in/a\nb\x1b'],
];

describe.runIf(process.platform !== 'win32')('a path of any bytes', () => {
  test.each(PATHS)('%j has the name %j, and back', (latin1, name) => {
    const path = decodePath(bytes(`/in/${latin1}`));
    expect(nameOfPath(path)).toBe(name);
    expect(pathOfName(name)).toBe(path);
    expect(Buffer.from(systemPath(path))).toEqual(bytes(`/in/${latin1}`));
    const source = sourceOfPath(path);
    expect(typeof source === 'string' || fileOfName(source.href)).toEqual(
      typeof source === 'string' || systemPath(path),
    );
  });

  test('different paths have different names', () => {
    expect(new Set(PATHS.map(([latin1]) => nameOfPath(decodePath(bytes(latin1))))).size).toBe(PATHS.length);
  });

  test('is that of Python (os.fsdecode)', () => {
    expect(decodePath(bytes('\xff\xc3\xa9\xe9'))).toBe('\udcffé\udce9');
  });

  test('is a URL for the library', () => {
    expect(sourceOfPath(decodePath(bytes('/a b/\xe9%.png')))).toEqual(new URL('file:///a%20b/%E9%25.png'));
  });
});

test('names that are no files', () => {
  expect(['-', 'https://example.org/x.png', 'data:,x'].map(fileOfName)).toEqual([undefined, undefined, undefined]);
  expect(fileOfName('file:///tmp/a%20b.png')).toBe('/tmp/a b.png');
});
