import { createHash } from 'node:crypto';

/** A repository of the test server. Files of `largeFrom` bytes or more are served from the storage host, as on the Hub. */
export interface ServedRepository {
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  readonly commit?: string;
  readonly licence?: string;
  /** Who may read it: everyone, those with the token, or nobody before agreeing to terms. */
  readonly access?: 'public' | 'private' | 'gated';
}

/** A file as the server stores it. */
export interface StoredFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly isLarge: boolean;
  readonly sha256: string;
  /** Of the content, or of the pointer to it. */
  readonly oid: string;
}

/** Commit of repositories that name none. */
export const DEFAULT_COMMIT = '0123456789abcdef0123456789abcdef01234567';

function gitSha1(content: Uint8Array): string {
  return createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest('hex');
}

export function storeFile(path: string, given: Uint8Array | string, largeFrom: number): StoredFile {
  const content = typeof given === 'string' ? new TextEncoder().encode(given) : given;
  const sha256 = createHash('sha256').update(content).digest('hex');
  const isLarge = content.byteLength >= largeFrom;
  const pointer = new TextEncoder().encode(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${content.byteLength}\n`,
  );
  return { path, content, isLarge, sha256, oid: gitSha1(isLarge ? pointer : content) };
}

/** What the Hub answers about a revision of a repository. */
export function describeRepository(id: string, { licence, files }: ServedRepository, commit: string): unknown {
  return {
    _id: '0',
    id,
    modelId: id,
    sha: commit,
    private: false,
    gated: false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: licence === undefined ? [] : [`license:${licence}`],
    siblings: Object.keys(files).map((rfilename) => ({ rfilename })),
    ...(licence !== undefined && { cardData: { license: licence } }),
  };
}
