import { mustBe } from '@blip2/interfaces';

/** `owner/name`, or `name` for old repositories without an owner. The rules are those of `validate_repo_id`. */
const ID_PATTERN = /^(?:[\w.-]+\/)?[\w.-]{1,96}$/;
/** Names of branches and tags may contain slashes: `refs/pr/1`. */
const REVISION_PATTERN = /^[\w.+@/-]{1,200}$/;
/** Branch that is used if no revision is given. */
export const DEFAULT_REVISION = 'main';
const COMMIT_PATTERN = /^[0-9a-f]{40}$/;

/** Whether `source` has the form of a repository id. The repository need not exist. */
export function isRepositoryId(source: string): boolean {
  return (
    ID_PATTERN.test(source) &&
    !/--|\.\.|\.git$/.test(source) &&
    source.split('/').every((part) => !/^[.-]|[.-]$/.test(part))
  );
}

/** @throws Blip2Error `INVALID_ARGUMENT` unless `id` has the form of a repository id. */
export function checkRepositoryId(id: string): void {
  if (!isRepositoryId(id)) throw mustBe('id', 'a repository id (owner/name)', id);
}

/**
 * Revisions become file names below `refs/`, so those that could lead elsewhere are refused.
 * @throws Blip2Error `INVALID_ARGUMENT`
 */
export function checkRevision(revision: string): void {
  if (
    REVISION_PATTERN.test(revision) &&
    revision.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'))
  )
    return;
  throw mustBe('revision', 'a branch, a tag or a commit', revision);
}

/** Whether the revision is a full commit hash, which never changes its meaning. */
export function isCommit(revision: string): boolean {
  return COMMIT_PATTERN.test(revision);
}
