import { describe, expect, test } from 'vitest';

import { decodeDataUrl, shownDataUrl } from './data-url.ts';

const decoded = (url: string): string => Buffer.from(decodeDataUrl(url)).toString('latin1');

describe('a data URL', () => {
  test.each([
    ['data:image/png;base64,YWJj', 'abc'],
    ['DATA:image/png;charset=utf-8;BASE64,YWJj', 'abc'],
    ['data:;base64,YWI', 'ab'],
    ['data:;base64,YWI=', 'ab'],
    ['data:;base64,YW%4Aj%3D', 'abc'],
    ['data:;base64,Y W\nJ\tj', 'abc'],
    ['data:;base64,-_-_', '\xfb\xff\xbf'],
    ['data:,a%62c', 'abc'],
    ['data:,100%', '100%'],
    ['data:text/plain,%ff%00#fragment', '\xff\0'],
    ['data:,', ''],
  ])('%s is decoded', (url, expected) => {
    expect(decoded(url)).toBe(expected);
  });

  test.each(['data:image/png;base64', 'data:;base64,a$b', 'data:;base64,YQ==YQ=='])('%s is rejected', (url) => {
    expect(() => decodeDataUrl(url)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test('is at most as large as a fetched image, and never decoded beyond that', () => {
    const tooLarge = expect.objectContaining({ code: 'IMAGE_TOO_LARGE' });
    expect(() => decodeDataUrl(`data:;base64,${'A'.repeat(29 * 2 ** 20)}`)).toThrow(tooLarge);
    expect(() => decodeDataUrl(`data:,${'%41'.repeat(21 * 2 ** 20)}`)).toThrow(tooLarge);
  });

  test('is shown by its media type only', () => {
    expect(shownDataUrl('data:image/png;base64,c2VjcmV0')).toBe('data:image/png,…');
    expect(shownDataUrl(`data:${'a'.repeat(500)},x`)).toBe(`data:${'a'.repeat(40)},…`);
    expect(() => decodeDataUrl('data:secret')).not.toThrow(/secret.*secret/);
  });
});
