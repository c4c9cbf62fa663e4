export { type ArchiveBytes, type ByteSource, type FileSource, fileSource } from './byte-source.ts';
export { formatTarIndex, indexNames, parseTarIndex, readTarIndex } from './index-file.ts';
export { type IndexedSamplesOptions, readIndexedSamples } from './indexed-samples.ts';
export type { TarLimits } from './limits.ts';
export { type SampleName, splitName } from './sample-name.ts';
export { readSamples, type ReadSamplesOptions, type Sample } from './samples.ts';
export { type IndexedFile, type IndexedSample, indexTar, type IndexTarOptions, type TarIndex } from './tar-index.ts';
