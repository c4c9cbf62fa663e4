import { describe, expect, test } from 'vitest';

import { dtypeOption } from './dtype.ts';

describe('dtypeOption', () => {
  test('takes one name for all parts, or one for each', () => {
    expect(dtypeOption(undefined)).toEqual({});
    expect(dtypeOption('fast')).toEqual({ dtype: 'fast' });
    expect(dtypeOption('vision=int8, language=q4')).toEqual({ dtype: { vision: 'int8', language: 'q4' } });
  });

  test.each(['vision=', '=q4', 'vision=int8,language', 'a=b=c'])('refuses %j', (text) => {
    expect(() => dtypeOption(text)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_DTYPE' }));
  });
});
