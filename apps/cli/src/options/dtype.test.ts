import { describe, expect, test } from 'vitest';

import { dtypeOption } from './dtype.ts';

describe('dtypeOption', () => {
  test('accepts one name for all parts, or one per part', () => {
    expect(dtypeOption(undefined)).toEqual({});
    expect(dtypeOption('fast')).toEqual({ dtype: 'fast' });
    expect(dtypeOption('vision=int8, language=q4')).toEqual({ dtype: { vision: 'int8', language: 'q4' } });
  });

  test.each(['vision=', '=q4', 'vision=int8,language', 'a=b=c'])('rejects %j', (text) => {
    expect(() => dtypeOption(text)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_DTYPE' }));
  });
});
