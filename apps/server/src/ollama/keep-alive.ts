import { mustBe } from '@blip2/interfaces';

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^([-+]?)((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)$/;

/**
 * Milliseconds of a `keep_alive`: seconds, or a duration such as `5m` or `1h30m`. Negative: for ever.
 * @throws Blip2Error `INVALID_ARGUMENT` for anything else.
 */
export function keepAliveMs(value: string | number | null | undefined): number | undefined {
  if (value === null || value === undefined) return undefined;
  const seconds = Number(value);
  if (typeof value === 'number' || (value.trim() !== '' && Number.isFinite(seconds)))
    return seconds < 0 ? Infinity : seconds * 1000;
  const [, sign, parts] = DURATION.exec(value.trim()) ?? [];
  if (parts === undefined) throw mustBe('keep_alive', 'seconds, or a duration such as 5m', value);
  if (sign === '-') return Infinity;
  return [...parts.matchAll(/([\d.]+)([a-zµ]+)/g)].reduce(
    (sum, [, amount, unit = '']) => sum + Number(amount) * (UNITS_MS[unit] ?? NaN),
    0,
  );
}
