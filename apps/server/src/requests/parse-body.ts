import { Blip2Error, mustBe } from '@blip2/interfaces';
import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/**
 * Checks a body against its schema.
 * @throws Blip2Error `INVALID_ARGUMENT`, which names the first field that is wrong.
 */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw issue ? refusal(deepest(issue), body) : mustBe('body', 'valid', body);
}

/** Of a union, the issue of the alternative that matched furthest. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const candidates = issue.errors
    .flatMap((alternative) => alternative.slice(0, 1))
    .map((inner) => deepest({ ...inner, path: [...issue.path, ...inner.path] } as Issue))
    .toSorted((a, b) => b.path.length - a.path.length);
  const [first] = candidates;
  return first && first.path.length > issue.path.length ? first : issue;
}

function refusal(issue: Issue, body: unknown): Blip2Error {
  const field = issue.path.reduce<string>(joinPath, '') || 'body';
  const got = issue.path.reduce<unknown>((value, key) => Object(value)[key], body);
  if (issue.code === 'invalid_type') return mustBe(field, articleOf(issue.expected), got);
  if (issue.code === 'invalid_value') return mustBe(field, oneOf(issue.values), got);
  if (issue.code === 'too_small') return mustBe(field, atLeast(issue), got);
  if (issue.code === 'too_big') return mustBe(field, atMost(issue), got);
  if (issue.code === 'invalid_union') return mustBe(field, alternativesOf(issue), got);
  return mustBe(field, issue.message.replace(/^Invalid input: expected /, ''), got);
}

function alternativesOf(issue: Extract<Issue, { readonly code: 'invalid_union' }>): string {
  const { options } = issue as { readonly options?: readonly unknown[] };
  return options ? oneOf(options) : 'of a supported type';
}

function oneOf(values: readonly unknown[]): string {
  return `one of ${values.map(String).join(', ')}`;
}

function atLeast({ origin, minimum, inclusive }: Extract<Issue, { readonly code: 'too_small' }>): string {
  return `${sizeOf(origin)}${inclusive === false ? 'more than' : 'at least'} ${minimum}${unitOf(origin)}`;
}

function atMost({ origin, maximum, inclusive }: Extract<Issue, { readonly code: 'too_big' }>): string {
  return `${sizeOf(origin)}${inclusive === false ? 'less than' : 'at most'} ${maximum}${unitOf(origin)}`;
}

function sizeOf(origin: string): string {
  return origin === 'array' ? 'a list of ' : origin === 'string' ? 'a string of ' : '';
}

function unitOf(origin: string): string {
  return origin === 'array' ? ' entries' : origin === 'string' ? ' characters' : '';
}

function joinPath(path: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? String(key) : `${path}.${String(key)}`;
}

function articleOf(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type === 'record' ? 'JSON object' : type}`;
}
