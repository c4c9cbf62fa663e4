import { contentOf, endsOf, type LoadAnswer, type LoadJob, type LoadOutcome, nextJob } from './load-work.ts';
import type { ServedProcess } from './served-process.ts';

/** How a server is loaded. */
export interface LoadOptions {
  readonly clients: number;
  readonly seconds: number;
  /** Random numbers in [0, 1) of each client. */
  readonly randomFor: (client: number) => () => number;
  /** Most requests that the server lets wait. */
  readonly maxWaiting: number;
  /** Answers must be those that the same request gets alone. */
  readonly isExact: boolean;
}

/** What a load showed. */
export interface LoadResult {
  readonly seconds: number;
  readonly requests: number;
  readonly outcomes: Readonly<Record<LoadOutcome, number>>;
  readonly failures: Readonly<Record<string, number>>;
  /** Milliseconds of answered requests. */
  readonly latency: Percentiles;
  /** Milliseconds until their first byte. */
  readonly firstByte: Percentiles;
  readonly longestStallMs: number;
  readonly mostWaiting: number;
  /** Texts per step of the language model, on average. */
  readonly rowsPerStep: number;
  readonly residentMB: { readonly first: number; readonly last: number; readonly growth: number };
  /** The promises that were broken. */
  readonly broken: readonly string[];
}

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

interface Sample {
  readonly at: number;
  readonly residentBytes: number;
  readonly stallMs: number;
  readonly waiting: number;
}

const MAX_STALL_MS = 50;
const MAX_GROWTH = 0.1;
const SAMPLE_MS = 1000;
/** The part of a run in which caches fill and sessions open. */
const WARM_UP = 0.3;
const REFUSED_PAUSE_MS = 200;
/** Milliseconds after which an answer is lost: more than the server gives a request. */
const LOST_MS = 400_000;

/** Sends mixed work of many clients to a server, and looks at what it answers and at what it takes. */
export async function runLoad(server: ServedProcess, options: LoadOptions): Promise<LoadResult> {
  const expected = new Map<string, Promise<string>>();
  const outcomes: Record<LoadOutcome, number> = {
    answered: 0,
    different: 0,
    lost: 0,
    twice: 0,
    refused: 0,
    failed: 0,
    gone: 0,
  };
  const failures: Record<string, number> = {};
  const latency: number[] = [];
  const firstByte: number[] = [];
  // Alone, before the load.
  const random = options.randomFor(-1);
  for (let index = 0; index < 40; index++) {
    const job = nextJob(random);
    if (job.leaves === true || expected.has(job.key)) continue;
    const { text } = await send(server.url, job);
    expected.set(job.key, Promise.resolve(contentOf(job, text)));
  }
  const begin = performance.now();
  const end = begin + options.seconds * 1000;
  const client = async (index: number): Promise<void> => {
    const next = options.randomFor(index);
    while (performance.now() < end) {
      const job = nextJob(next);
      const started = performance.now();
      const answer = await Promise.race([send(server.url, job), noAnswer()]).catch((error: unknown) => String(error));
      const outcome = await judge(job, answer, expected);
      outcomes[outcome]++;
      if (outcome === 'failed') count(failures, typeof answer === 'string' ? answer : answer.text.slice(0, 200));
      if (outcome === 'refused') await new Promise((resolve) => void setTimeout(resolve, REFUSED_PAUSE_MS));
      if ((outcome === 'answered' || outcome === 'different') && typeof answer !== 'string') {
        latency.push(performance.now() - started);
        firstByte.push(answer.firstMs);
      }
    }
  };
  const samples: Sample[] = [];
  const before = await server.metrics();
  const sampling = sample(server, samples, begin, end);
  await Promise.all(Array.from({ length: options.clients }, (_, index) => client(index)));
  await sampling;
  const after = await server.metrics();
  const risen = (name: string): number => total(after, name) - total(before, name);
  const warm = samples.filter(({ at }) => at > WARM_UP * options.seconds * 1000);
  const resident = warm.map(({ residentBytes }) => residentBytes / 1e6);
  const part = Math.max(1, Math.floor(resident.length / 5));
  const [first, last] = [mean(resident.slice(0, part)), mean(resident.slice(-part))];
  const result = {
    seconds: rounded((performance.now() - begin) / 1000),
    requests: Object.values(outcomes).reduce((sum, value) => sum + value, 0),
    outcomes,
    failures,
    latency: percentiles(latency),
    firstByte: percentiles(firstByte),
    longestStallMs: rounded(Math.max(0, ...warm.map(({ stallMs }) => stallMs))),
    mostWaiting: Math.max(0, ...samples.map(({ waiting }) => waiting)),
    rowsPerStep: rounded(risen('blip2:decoded_rows_total') / risen('blip2:decoding_steps_total')),
    residentMB: { first: rounded(first), last: rounded(last), growth: rounded(last / first - 1) },
  };
  return { ...result, broken: brokenPromises(result, options) };
}

/** What stands for an answer that did not come. */
async function noAnswer(): Promise<LoadAnswer> {
  await new Promise((resolve) => void setTimeout(resolve, LOST_MS).unref());
  return { status: 200, text: '', firstMs: LOST_MS, isGone: false };
}

/** Sends a request and reads its whole answer, or leaves after the first piece of it. */
async function send(url: string, { path, body, leaves = false }: LoadJob): Promise<LoadAnswer> {
  const begin = performance.now();
  const controller = new AbortController();
  const response = await fetch(url + path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    signal: controller.signal,
  });
  let text = '';
  let firstMs = NaN;
  const decoder = new TextDecoder();
  const { status } = response;
  try {
    for await (const piece of response.body ?? []) {
      if (text === '') firstMs = performance.now() - begin;
      text += decoder.decode(piece as Uint8Array, { stream: true });
      if (!leaves || status !== 200) continue;
      controller.abort();
      break;
    }
  } catch (error) {
    if (!controller.signal.aborted) throw error;
  }
  return { status, text, firstMs, isGone: controller.signal.aborted };
}

async function judge(
  job: LoadJob,
  answer: LoadAnswer | string,
  expected: Map<string, Promise<string>>,
): Promise<LoadOutcome> {
  if (typeof answer === 'string') return 'failed';
  const { status, text, isGone } = answer;
  if (isGone) return 'gone';
  if (status === 429) return 'refused';
  if (status !== 200 || text.includes('"error"')) return 'failed';
  const ends = endsOf(job, text);
  if (ends !== 1) return ends === 0 ? 'lost' : 'twice';
  if (job.leaves === true) return 'answered';
  const content = contentOf(job, text);
  const known = expected.get(job.key);
  if (!known) expected.set(job.key, Promise.resolve(content));
  return known && (await known) !== content ? 'different' : 'answered';
}

async function sample(server: ServedProcess, samples: Sample[], begin: number, end: number): Promise<void> {
  while (performance.now() < end) {
    await new Promise((resolve) => void setTimeout(resolve, SAMPLE_MS));
    const metrics = await server.metrics().catch(() => undefined);
    if (!metrics) continue;
    samples.push({
      at: performance.now() - begin,
      residentBytes: server.residentBytes(),
      stallMs: (metrics.get('nodejs_eventloop_lag_max_seconds') ?? 0) * 1000,
      waiting: total(metrics, 'blip2:num_requests_waiting'),
    });
  }
}

function brokenPromises(
  { outcomes, longestStallMs, mostWaiting, residentMB: { growth } }: Omit<LoadResult, 'broken'>,
  { maxWaiting, isExact }: LoadOptions,
): string[] {
  return [
    ...(outcomes.lost > 0 ? [`${outcomes.lost} answers were lost`] : []),
    ...(outcomes.twice > 0 ? [`${outcomes.twice} requests were answered twice`] : []),
    ...(outcomes.failed > 0 ? [`${outcomes.failed} requests failed`] : []),
    ...(isExact && outcomes.different > 0 ? [`${outcomes.different} answers differ from those alone`] : []),
    ...(outcomes.answered === 0 ? ['nothing was answered'] : []),
    ...(longestStallMs >= MAX_STALL_MS ? [`the event loop stalled for ${longestStallMs} ms`] : []),
    ...(mostWaiting > maxWaiting ? [`${mostWaiting} requests waited`] : []),
    ...(growth > MAX_GROWTH ? [`memory grew by ${Math.round(growth * 100)} %`] : []),
  ];
}

/** The sum of a metric over its labels. */
function total(metrics: ReadonlyMap<string, number>, name: string): number {
  let sum = 0;
  for (const [key, value] of metrics) if (key === name || key.startsWith(`${name}{`)) sum += value;
  return sum;
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN);
  return { p50: at(0.5), p99: at(0.99) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
