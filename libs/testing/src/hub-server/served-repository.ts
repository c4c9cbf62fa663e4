import { createHash } from 'node:crypto';

/** A repository of the fake Hub. */
export interface ServedRepository {
  /** Contents by path. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** Commit hash of `main`. Default {@link DEFAULT_COMMIT}. */
  readonly commit?: string;
  /** Licence in the model card. */
  readonly licence?: string;
  /** Default `public`. `private` and `gated` require the token and differ in the error without it. */
  readonly access?: 'public' | 'private' | 'gated';
}

/** A stored file. */
export interface StoredFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly isLarge: boolean;
  readonly sha256: string;
  /** Git object id of the content, or of the Git LFS pointer for large files. */
  readonly oid: string;
}

/** Commit hash of repositories without `commit`. */
export const DEFAULT_COMMIT = '0123456789abcdef0123456789abcdef01234567';

function gitSha1(content: Uint8Array): string {
  return createHash('sha1').update(`blob ${content.byteLength}\0`).update(content).digest('hex');
}

/** Computes the hashes of a file. */
export function storeFile(path: string, given: Uint8Array | string, largeFrom: number): StoredFile {
  const content = typeof given === 'string' ? new TextEncoder().encode(given) : given;
  const sha256 = createHash('sha256').update(content).digest('hex');
  const isLarge = content.byteLength >= largeFrom;
  const pointer = new TextEncoder().encode(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${content.byteLength}\n`,
  );
  return { path, content, isLarge, sha256, oid: gitSha1(isLarge ? pointer : content) };
}

/** The Hub's description of a repository revision (`GET /api/models/{id}/revision/{revision}`). */
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
