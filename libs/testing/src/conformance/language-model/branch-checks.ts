import { type Check, EXACT } from '../check.ts';
import { expectClose, expectEqual, expectRejection } from '../expectations.ts';
import { check, type LanguageModelSubject } from './check-context.ts';

/** Checks of `Decoding.fork` and `Decoding.crop`. */
export function branchChecks(subject: LanguageModelSubject): Check[] {
  return [
    check(subject, 'forks into two independent decodings', async ({ start, own, tolerance }) => {
      const [decoding, expected] = [await start([5, 6], [7]), await start([5, 6], [7])];
      const fork = own(await decoding.fork());
      expectEqual(fork.length, decoding.length, 'length of a fork');
      expectClose(fork.logits.data, decoding.logits.data, EXACT, 'logits of a fork');
      await fork.extend({
        ids: [
          [9, 9],
          [9, 9],
        ],
        parents: [1, 0],
      });
      const extended = await decoding.extend({ ids: [[7], [8]] });
      expectClose(
        extended.data,
        (await expected.extend({ ids: [[7], [8]] })).data,
        tolerance,
        'the original after its fork was extended',
      );
      const again = own(await decoding.fork());
      await decoding.extend({ ids: [[5], [5]] });
      expectClose(
        (await again.extend({ ids: [[6], [9]] })).data,
        (await expected.extend({ ids: [[6], [9]] })).data,
        tolerance,
        'a fork after its original was extended',
      );
    }),
    check(subject, 'stays usable after a fork is disposed of, and vice versa', async ({ start, own, tolerance }) => {
      const [decoding, expected] = [await start([5, 6]), await start([5, 6])];
      const [first, second] = [own(await decoding.fork()), own(await decoding.fork())];
      await first[Symbol.asyncDispose]();
      expectClose(
        (await decoding.extend({ ids: [[7]] })).data,
        (await expected.extend({ ids: [[7]] })).data,
        tolerance,
        'the original after its fork was disposed of',
      );
      await decoding[Symbol.asyncDispose]();
      expectClose(
        (await second.extend({ ids: [[7]] })).data,
        expected.logits.data,
        tolerance,
        'a fork after its original was disposed of',
      );
    }),
    check(subject, 'removes cropped positions', async ({ start, tolerance }) => {
      const [decoding, expected] = [await start([5, 6], [7]), await start([5, 6], [7])];
      await decoding.extend({ ids: [[7], [8]] });
      const { length } = decoding;
      await decoding.extend({
        ids: [
          [9, 5],
          [5, 9],
        ],
      });
      await decoding.crop(length);
      expectEqual(decoding.length, length, 'length after a crop');
      await expected.extend({ ids: [[7], [8]] });
      expectClose(
        (await decoding.extend({ ids: [[6], [6]] })).data,
        (await expected.extend({ ids: [[6], [6]] })).data,
        tolerance,
        'logits after a crop and one more token',
      );
    }),
    check(subject, 'has no logits after a crop', async ({ start, own }) => {
      const decoding = await start([5, 6], [7]);
      const { length } = decoding;
      const { data } = await decoding.extend({ ids: [[7], [8]] });
      await decoding.crop(length + 1);
      expectClose(decoding.logits.data, data, EXACT, 'logits after a crop that removes nothing');
      await decoding.crop(length);
      const fork = own(await decoding.fork());
      await expectRejection(async () => decoding.logits, 'logits after a crop', 'INVALID_STATE');
      await expectRejection(async () => fork.logits, 'logits of a fork after a crop', 'INVALID_STATE');
      const again = await decoding.extend({ ids: [[9], [9]] });
      expectClose(decoding.logits.data, again.data, EXACT, 'logits after a crop and one more token');
    }),
  ];
}
