import { expect, test } from 'vitest';

import { loadCommand } from './load-command.ts';
import { contentOf, endsOf, type LoadJob, nextJob } from './load-work.ts';
import { runLoad } from './run-load.ts';

const sse = { answer: 'sse' } as LoadJob;
const event = (content: string): string => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;

test('the answer of a stream is its text; one that ends twice or not at all is noticed', () => {
  const text = `${event('a')}${event(' b')}data: [DONE]\n\n`;
  expect([contentOf(sse, text), endsOf(sse, text)]).toEqual(['a b', 1]);
  expect([endsOf(sse, event('a')), endsOf(sse, text + text)]).toEqual([0, 2]);
  const ndjson = { answer: 'ndjson' } as LoadJob;
  const lines = '{"response":"a","done":false}\n{"response":" b","done":true}\n';
  expect([contentOf(ndjson, lines), endsOf(ndjson, lines)]).toEqual(['a b', 1]);
});

test('equal random numbers give equal work', () => {
  const job = (value: number): LoadJob => nextJob(() => value);
  expect(job(0.3)).toEqual(job(0.3));
  expect(job(0.3).key).not.toBe(job(0.6).key);
});

test('wrong arguments are refused', async () => {
  const complaints: string[] = [];
  const output = { print: () => undefined, complain: (line: string) => void complaints.push(line) };
  expect(await loadCommand(['--clients', '0'], output)).toBe(2);
  expect(await loadCommand(['--minutes', '1'], output)).toBe(2);
  expect(complaints[0]).toContain('--clients must be a positive integer');
});

test('a server that does not answer breaks its promises', async () => {
  const server = {
    url: 'http://127.0.0.1:1',
    pid: 0,
    residentBytes: () => 1e8,
    metrics: async () => new Map([['nodejs_eventloop_lag_max_seconds', 0.2]]),
    end: async () => 0,
  };
  const options = { clients: 1, seconds: 1, randomFor: () => () => 0.99, maxWaiting: 1, isExact: true };
  const { broken, outcomes } = await runLoad(server, options);
  expect(outcomes.answered).toBe(0);
  expect(broken.join()).toMatch(/requests failed.*nothing was answered/);
});
