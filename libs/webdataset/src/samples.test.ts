import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

import { afterAll, describe, expect, test } from 'vitest';

import { paxRecord, tarEntry, type TestEntry, writeTar } from './fixtures/write-tar.ts';
import {
  type ArchiveBytes,
  type ByteSource,
  fileSource,
  formatTarIndex,
  indexTar,
  parseTarIndex,
  readIndexedSamples,
  readSamples,
  type ReadSamplesOptions,
  readTarIndex,
  type Sample,
  splitName,
} from './index.ts';

const fixtures = join(import.meta.dirname, 'fixtures');
const folder = await mkdtemp(join(tmpdir(), 'webdataset-'));
afterAll(() => rm(folder, { recursive: true }));

interface Expected {
  readonly samples: readonly { key: string; files: Record<string, [number, string]> }[];
  readonly offsets: Record<string, [number, number]>;
}
const expected = JSON.parse(await readFile(join(fixtures, 'expected.json'), 'utf8')) as Record<string, Expected>;

/** A stream of chunks of `size` bytes. */
async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

function memory(bytes: Uint8Array, reads: [number, number][] = []): ByteSource {
  return {
    name: 'memory.tar',
    size: bytes.byteLength,
    async read(start, length) {
      reads.push([start, length]);
      return bytes.subarray(start, start + length);
    },
  };
}

async function all(samples: AsyncIterable<Sample>): Promise<Sample[]> {
  const list: Sample[] = [];
  for await (const sample of samples) list.push(sample);
  return list;
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const summary = (samples: readonly Sample[]): unknown =>
  samples.map(({ key, files }) => ({
    key,
    files: Object.fromEntries([...files].map(([name, bytes]) => [name, [bytes.byteLength, digest(bytes)]])),
  }));
const texts = (samples: readonly Sample[]): unknown =>
  samples.map(({ key, files, refused }) => [
    key,
    Object.fromEntries([...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString()])),
    ...(refused.size > 0 ? [Object.fromEntries(refused)] : []),
  ]);

describe.each(Object.keys(expected))('an archive that tarfile of Python wrote (%s)', (format) => {
  const { samples, offsets } = expected[format]!;
  const load = async (): Promise<Buffer> => gunzipSync(await readFile(join(fixtures, `${format}.tar.gz`)));

  test.each([1, 7, 511, 512, 513, 100_000])('has the samples of webdataset in chunks of %i bytes', async (size) => {
    expect(summary(await all(readSamples(chunked(await load(), size))))).toEqual(samples);
  });
  test('has them through ranges, compressed, and from a file', async () => {
    const tar = await load();
    const file = join(folder, `${format}.tar`);
    await writeFile(file, tar);
    await using source = await fileSource(file);
    await using compressed = await fileSource(join(fixtures, `${format}.tar.gz`));
    const read: ArchiveBytes[] = [memory(tar), source, compressed, chunked(gzipSync(tar), 100)];
    for (const bytes of read) expect(summary(await all(readSamples(bytes)))).toEqual(samples);
    // Two gzip members after each other are one stream, as pigz and bgzip write it.
    const members = Buffer.concat([gzipSync(tar.subarray(0, 3000)), gzipSync(tar.subarray(3000))]);
    expect(summary(await all(readSamples(chunked(members, 999))))).toEqual(samples);
  });
  test('has an index with the offsets of tarfile, and the same samples by it', async () => {
    const source = memory(await load());
    const index = await indexTar(source);
    const files = index.samples.flatMap((sample) => [...sample.files.values()]);
    expect(files.length).toBeGreaterThan(15);
    for (const { name, offset, size } of files) expect([offset, size]).toEqual(offsets[name]);
    expect(summary(await all(readIndexedSamples(source, index)))).toEqual(samples);
    const some = await all(readIndexedSamples(source, index, { start: 2, end: 5, extensions: ['jpg'] }));
    expect(some.map(({ key }) => key)).toEqual(samples.slice(2, 5).map(({ key }) => key));
    expect(some.every(({ files }) => [...files.keys()].join() === 'jpg')).toBe(true);
  });
});

test.each([
  ['a.jpg', 'a', 'jpg'],
  ['x/y.z/000.seg.PNG', 'x/y.z/000', 'seg.png'],
  ['./a.jpg', './a', 'jpg'],
  ['a.', 'a', ''],
])('%s is split into %s and %s', (name, key, extension) => {
  expect(splitName(name)).toEqual({ key, extension });
});
test.each(['README', '.DS_Store', 'x/._a.jpg', '__meta__', '__x__/a.jpg', 'a.b/c', ''])('%s has no sample', (name) => {
  expect(splitName(name)).toBeUndefined();
});

const read = async (tar: Uint8Array, options?: ReadSamplesOptions): Promise<unknown> => {
  const streamed = texts(await all(readSamples(chunked(tar, 700), options)));
  expect(texts(await all(readSamples(memory(tar), options)))).toEqual(streamed);
  return streamed;
};
const failure = async (tar: Uint8Array, options?: ReadSamplesOptions): Promise<string> => {
  const of = async (bytes: ArchiveBytes): Promise<string> => {
    const error = await all(readSamples(bytes, options)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ name: 'Blip2Error', code: 'INVALID_ARCHIVE' });
    return (error as Error).message;
  };
  const streamed = await of(chunked(tar, 700));
  expect((await of(memory(tar))).replace('memory.tar', 'the archive')).toBe(streamed);
  return streamed;
};

describe('what is not a plain file of the archive', () => {
  test('is refused by name, and the other files of the sample are read', async () => {
    const entries: TestEntry[] = [
      { name: 'a.jpg', type: '2' },
      { name: 'a.txt', contents: 'text' },
      { name: 'b.jpg', type: '1' },
      { name: 'c.jpg', type: '3' },
      { name: 'd.jpg', type: 'S' },
      { name: 'e.jpg', type: 'Z', contents: 'what' },
      { name: '/etc/x.jpg', contents: '1' },
      { name: '../f.jpg', contents: '2' },
      { name: 'x/../../f.jpg', contents: '2' },
      { name: 'C:\\x.jpg', contents: '3' },
      { name: Buffer.from([0x67, 0xff, 0x2e, 0x6a]), contents: '4' },
      { name: 'h.jpg', contents: 'first' },
      { name: 'h.JPG', contents: 'second' },
      { name: '..a.jpg/i.jpg', contents: 'fine' },
    ];
    expect(await read(writeTar(...entries))).toEqual([
      ['a', { txt: 'text' }, { jpg: 'it is a link, and only files are read' }],
      ['b', {}, { jpg: 'it is a link, and only files are read' }],
      ['c', {}, { jpg: 'it is a device, and only files are read' }],
      ['d', {}, { jpg: 'it is a sparse file, and only files are read' }],
      ['e', {}, { jpg: 'it is an entry of another type, and only files are read' }],
      ['/etc/x', {}, { jpg: 'its path is absolute' }],
      ['../f', {}, { jpg: 'its path leads out of the archive (..)' }],
      ['x/../../f', {}, { jpg: 'its path leads out of the archive (..)' }],
      ['C:\\x', {}, { jpg: 'its path is absolute' }],
      ['g\ufffd', {}, { j: 'its name is not UTF-8' }],
      ['h', {}, { jpg: 'it appears twice with the same name' }],
      ['..a.jpg/i', { jpg: 'fine' }],
    ]);
  });
  test('is reported if it belongs to no sample', async () => {
    const ignored: string[] = [];
    const tar = writeTar({ name: 'x/', type: '5' }, { name: 'README', contents: 'x' }, { name: '._a.jpg' });
    expect(await read(tar, { onIgnored: (name) => ignored.push(name) })).toEqual([]);
    expect(ignored).toEqual(['README', '._a.jpg', 'README', '._a.jpg']);
  });
  test('is refused for its size, and the rest is read', async () => {
    const tar = writeTar(
      { name: 'a.jpg', contents: 'x'.repeat(600) },
      { name: 'a.txt', contents: 'text' },
      { name: 'a.json', contents: '{}' },
    );
    const large = { jpg: 'it has 600 bytes, more than maxEntryBytes (599)' };
    expect(await read(tar, { maxEntryBytes: 599 })).toEqual([['a', { txt: 'text', json: '{}' }, large]]);
    expect(await read(tar, { maxEntryBytes: 600, maxSampleBytes: 604 })).toMatchObject([
      ['a', { txt: 'text' }, { json: 'its sample has more than maxSampleBytes (604) bytes' }],
    ]);
    expect(await read(tar, { maxSampleFiles: 2 })).toMatchObject([
      ['a', { txt: 'text' }, { '': 'the sample has more than maxSampleFiles (2) files' }],
    ]);
  });
});

describe('names', () => {
  test('of pax, GNU and ustar prefixes are complete; the size of pax counts', async () => {
    const long = `${'d/'.repeat(80)}é.jpg`;
    const pax = paxRecord('mtime', '1.5') + paxRecord('path', long) + paxRecord('size', '3');
    const prefix = (header: Buffer): void => void header.write('folder', 345);
    const gnu = (header: Buffer): void => {
      header.write('ustar  \0', 257);
      header.write('12345670123', 345); // access time of old GNU tar, no prefix
    };
    const tar = writeTar(
      { name: 'PaxHeader/x', type: 'x', contents: pax },
      { name: 'short.jpg', contents: 'pax', size: 0 },
      { name: '././@LongLink', type: 'L', contents: `${long}\0` },
      { name: 'short.jpg', contents: 'gnu' },
      { name: 'global', type: 'g', contents: paxRecord('comment', 'x') },
      { name: 'p.jpg', contents: 'prefix', change: prefix },
      { name: 'q.jpg', contents: 'old gnu', change: gnu },
    );
    expect(await read(tar)).toEqual([
      [long.slice(0, -4), {}, { jpg: 'it appears twice with the same name' }],
      ['folder/p', { jpg: 'prefix' }],
      ['q', { jpg: 'old gnu' }],
    ]);
    const sparse = { name: 'x', type: 'x', contents: paxRecord('GNU.sparse.major', '1') };
    expect(await read(writeTar(sparse, { name: 'a.jpg', contents: 'x' }))).toEqual([
      ['a', {}, { jpg: 'it is a sparse file, and only files are read' }],
    ]);
  });
  test('of `__proto__` and the like are ordinary keys and extensions', async () => {
    const tar = writeTar({ name: '__proto__.jpg', contents: '1' }, { name: 'a.__proto__', contents: '2' });
    const samples = await all(readSamples(memory(tar)));
    expect(samples.map(({ key, files }) => [key, ...files.keys()])).toEqual([
      ['__proto__', 'jpg'],
      ['a', '__proto__'],
    ]);
  });
  test('sizes in binary and sums over signed bytes are read', async () => {
    const binary = (header: Buffer): void => {
      header.fill(0, 124, 136);
      header[124] = 0x80;
      header[135] = 3;
    };
    const signed = (header: Buffer): void => {
      const sum = header.reduce((total, byte, at) => {
        const counted = at >= 148 && at < 156 ? 0x20 : byte;
        return total + (counted < 128 ? counted : counted - 256);
      }, 0);
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    };
    const tar = writeTar(
      { name: 'a.jpg', contents: 'abc', change: binary },
      { name: 'é.jpg', contents: 'signed', damage: signed },
    );
    expect(await read(tar)).toEqual([
      ['a', { jpg: 'abc' }],
      ['é', { jpg: 'signed' }],
    ]);
  });
});

describe('a damaged archive', () => {
  const good = writeTar({ name: 'a.jpg', contents: 'x'.repeat(700) }, { name: 'b.jpg', contents: 'y' });

  test('is refused at every length but its own', async () => {
    const ends: number[] = [];
    for (let length = 0; length < good.byteLength; length += 64) {
      const message = await failure(good.subarray(0, length)).catch(() => ends.push(length));
      if (typeof message === 'string') expect(message).toContain('The archive is truncated');
    }
    // One zero block is an end too.
    expect(Math.min(...ends)).toBe(good.byteLength - 512);
    expect(ends).toHaveLength(8);
  });
  test('is refused if it is compressed and truncated or damaged', async () => {
    const zipped = gzipSync(good);
    expect(await failure(zipped.subarray(0, zipped.byteLength - 12))).toContain('The archive is truncated');
    const damaged = Buffer.from(zipped);
    damaged[12]! ^= 0xff;
    expect(await failure(damaged)).toContain('The compressed archive is damaged');
    for (const [name, start] of [
      ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
      ['bzip2', [0x42, 0x5a, 0x68, 0x39]],
      ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
    ] as const) {
      expect(await failure(Buffer.from([...start, ...good]))).toContain(`is compressed with ${name}`);
    }
  });
  test('yields what comes before the damage', async () => {
    const samples = readSamples(memory(good.subarray(0, 2100)));
    expect((await samples.next()).value).toMatchObject({ key: 'a' });
    await expect(samples.next()).rejects.toThrow(/truncated/);
  });
  test.each<[string, TestEntry, RegExp]>([
    [
      'a wrong checksum',
      { name: 'c.jpg', damage: (header) => void (header[0]! ^= 1) },
      /its checksum is wrong.*byte 2560/,
    ],
    ['a size that is no number', { name: 'c.jpg', change: (h) => void h.write('9x', 124) }, /size is not a number/],
    ['a negative size', { name: 'c.jpg', change: (h) => void h.fill(0xff, 124, 136) }, /size is not a number/],
    ['malformed pax records', { name: 'c', type: 'x', contents: '5 a=b\n' }, /pax records are malformed/],
    ['pax records of length 0', { name: 'c', type: 'x', contents: '0 a=b\n' }, /pax records are malformed/],
    ['an impossible pax size', { name: 'c', type: 'x', contents: paxRecord('size', '-1') }, /not a number of bytes/],
    ['a huge extended header', { name: 'c', type: 'L', size: 2 ** 21 }, /extended header is too large/],
    ['an extended header at its end', { name: 'c', type: 'x', contents: paxRecord('path', 'x') }, /ends after an ext/],
  ])('with %s is refused', async (_, entry, message) => {
    const tar = Buffer.concat([good.subarray(0, 2560), tarEntry(entry), Buffer.alloc(1024)]);
    expect(await failure(tar)).toMatch(message);
  });
  test('with many extended headers or entries is refused', async () => {
    const extension = tarEntry({ name: 'c', type: 'K', contents: 'x' });
    const many = Buffer.concat([...Array<Buffer>(9).fill(extension), good]);
    expect(await failure(many)).toContain('more than 8 extended headers');
    expect(await failure(good, { maxEntries: 1 })).toContain('more than 1 entries');
  });
  test('with data after its end is refused, as concatenated archives are', async () => {
    expect(await failure(Buffer.concat([good, good]))).toContain('data after its end');
    expect(await read(Buffer.concat([good, Buffer.alloc(20 * 512)]))).toHaveLength(2);
  });
  test('that is another file is named so', async () => {
    expect(await failure(Buffer.from('x'.repeat(600)))).toContain('The file is not a tar archive');
    await expect(fileSource(join(folder, 'none.tar'))).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await expect(fileSource(folder)).rejects.toMatchObject({ code: 'INVALID_ARCHIVE' });
  });
});

describe('reading', () => {
  const tar = writeTar(
    { name: 'a.jpg', contents: 'x'.repeat(200_000) },
    { name: 'a.txt', contents: 'a' },
    { name: 'b.jpg', contents: 'y'.repeat(200_000) },
    { name: 'b.txt', contents: 'b' },
  );
  test('holds one sample: the next one is not read before it is asked for', async () => {
    let given = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunked(tar, 512)) {
        given += chunk.byteLength;
        yield chunk;
      }
    };
    const samples = readSamples(counted());
    await samples.next();
    expect(given).toBeLessThan(203_000);
    await samples.return();
  });
  test('leaves out files that are not wanted without reading them', async () => {
    const reads: [number, number][] = [];
    const samples = await all(readSamples(memory(tar, reads), { extensions: ['txt'] }));
    expect(texts(samples)).toEqual([
      ['a', { txt: 'a' }],
      ['b', { txt: 'b' }],
    ]);
    expect(reads.reduce((sum, [, length]) => sum + length, 0)).toBeLessThan(300_000);
  });
  test('stops at a signal, also while a stream is silent', async () => {
    const controller = new AbortController();
    const silent = async function* (): AsyncGenerator<Uint8Array> {
      yield tar.subarray(0, 1000);
      await new Promise(() => undefined);
    };
    const next = readSamples(silent(), { signal: controller.signal }).next();
    controller.abort(new Error('stop'));
    await expect(next).rejects.toThrow('stop');
    const ranges = readSamples(memory(tar), { signal: AbortSignal.abort(new Error('no')) });
    await expect(ranges.next()).rejects.toThrow('no');
  });
  test('passes on errors of the source, and closes it when it stops', async () => {
    let isClosed = false;
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield tar.subarray(0, 1000);
        await Promise.reject(new Error('connection lost'));
      } finally {
        isClosed = true;
      }
    };
    await expect(readSamples(failing()).next()).rejects.toThrow('connection lost');
    expect(isClosed).toBe(true);
    await expect(readSamples(chunked(gzipSync(tar).subarray(0, 20), 3)).next()).rejects.toThrow(/truncated/);
  });
});

describe('an index file', () => {
  const tar = writeTar(
    { name: 'a.JPG', contents: 'one' },
    { name: 'a.txt', contents: 'two' },
    { name: 'x/b.jpg', contents: 'z'.repeat(513) },
  );
  const text = 'v1.2 2\nJPG 512 3 a.JPG txt 1536 3 a.txt\njpg 2560 513 x/b.jpg\n';

  test('has the form of wds2idx, and is found next to the archive', async () => {
    const index = await indexTar(memory(tar));
    expect(formatTarIndex(index)).toBe(text);
    expect(parseTarIndex(text, 'a.idx')).toEqual(index);
    const file = join(folder, 'indexed.tar');
    expect(await readTarIndex(file)).toBeUndefined();
    await writeFile(join(folder, 'indexed.idx'), text);
    expect(await readTarIndex(file)).toEqual(index);
    await writeFile(`${file}.idx`, 'v1.1 0\n');
    await expect(readTarIndex(file)).rejects.toMatchObject({ code: 'INVALID_ARCHIVE' });
  });
  test.each([
    ['', /version/],
    ['v1.1 2\n', /version v1.2, got "v1.1"|got "v1.1"/],
    [text.slice(0, 40), /incomplete/],
    [text.replace('v1.2 2', 'v1.2 3'), /incomplete/],
    [text.replace('1536', '1537'), /line 2: offset 1537/],
    [text.replace('1536', '512'), /line 2: offset 512/],
    [text.replace('2560', '-512'), /not a number/],
    [text.replace('513 x', '99999999999999999 x'), /not a number/],
    [text.replace('x/b.jpg', 'x/b jpg'), /5 fields/],
    [text.replace('txt 1536 3 a.txt', 'txt 1536 3 b.txt'), /another key/],
    [text.replace('jpg 2560 513 x/b.jpg', 'png 2560 513 x/b.jpg'), /another extension/],
    [text.replace('jpg 2560 513 x/b.jpg', ''), /line 3/],
  ])('that is malformed is refused (%#)', (wrong, message) => {
    const parse = (): unknown => parseTarIndex(wrong, 'a.idx');
    expect(parse).toThrow(message);
    expect(parse).toThrow(expect.objectContaining({ code: 'INVALID_ARCHIVE' }) as Error);
  });
  test('of another archive is noticed', async () => {
    const index = parseTarIndex(text, 'a.idx');
    const other = writeTar(
      { name: 'c.JPG', contents: 'one' },
      { name: 'a.txt', contents: 'two' },
      { name: 'x/b.jpg', contents: 'z'.repeat(513) },
    );
    const reading = all(readIndexedSamples(memory(other), index));
    await expect(reading).rejects.toThrow(/archive and its index differ/);
    const sized = writeTar({ name: 'a.JPG', contents: 'ones' }, { name: 'a.txt', contents: 'two' });
    await expect(all(readIndexedSamples(memory(sized), index, { end: 1 }))).rejects.toThrow(/differ/);
    const short = all(readIndexedSamples(memory(tar.subarray(0, 2700)), index));
    await expect(short).rejects.toThrow(/shorter than its index/);
  });
  test('is read sample by sample, and files far apart by a read each', async () => {
    const far = writeTar(
      { name: 'a.jpg', contents: 'one' },
      { name: 'a.npy', contents: 'n'.repeat(100_000) },
      { name: 'a.txt', contents: 'two' },
    );
    const index = await indexTar(memory(far));
    const reads: [number, number][] = [];
    const samples = await all(readIndexedSamples(memory(far, reads), index, { extensions: ['jpg', 'txt'] }));
    expect(texts(samples)).toEqual([['a', { jpg: 'one', txt: 'two' }]]);
    expect(reads).toEqual([
      [0, 515],
      [101_888, 515],
    ]);
    const limited = await all(readIndexedSamples(memory(far), index, { maxEntryBytes: 99_999 }));
    expect([...limited[0]!.refused.keys()]).toEqual(['npy']);
  });
  test('cannot hold names with white space or files that are refused, nor describe a compressed archive', async () => {
    const spaced = await indexTar(memory(writeTar({ name: 'a b.jpg' })));
    expect(() => formatTarIndex(spaced)).toThrow(/white space/);
    const linked = await indexTar(memory(writeTar({ name: 'a.jpg', type: '2' })));
    expect(linked.samples[0]!.refused.get('jpg')).toContain('link');
    expect(() => formatTarIndex(linked)).toThrow(/files that can be read/);
    await expect(indexTar(memory(gzipSync(tar)))).rejects.toThrow(/compressed has no index/);
  });
  test.each([
    [{ start: -1 }, 'start'],
    [{ start: 0.5 }, 'start'],
    [{ start: 2, end: 1 }, 'end'],
    [{ end: 3 }, 'end'],
  ])('refuses a range %j', async (range, argument) => {
    const reading = all(readIndexedSamples(memory(tar), parseTarIndex(text, 'a.idx'), range));
    await expect(reading).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument } });
  });
  test('reads an archive through a link', async () => {
    await writeFile(join(folder, 'blob'), tar);
    await symlink(join(folder, 'blob'), join(folder, 'link.tar'));
    await using source = await fileSource(join(folder, 'link.tar'));
    expect(await all(readSamples(source))).toHaveLength(2);
  });
});
