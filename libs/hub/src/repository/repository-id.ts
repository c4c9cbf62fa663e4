import { Blip2Error } from '@blip2/interfaces';

/** `owner/name`, or the name of an old repository without owner, by the rules of the hub (`validate_repo_id`). */
const ID_PATTERN = /^(?:[\w.-]+\/)?[\w.-]{1,96}$/;
/** Names of branches and tags have slashes too: `refs/pr/1`. */
const REVISION_PATTERN = /^[\w.+@/-]{1,200}$/;
const COMMIT_PATTERN = /^[0-9a-f]{40}$/;

/** Whether `source` has the form of a hub id. Says nothing about whether there is such a repository. */
export function isRepositoryId(source: string): boolean {
  return (
    ID_PATTERN.test(source) &&
    !/--|\.\.|\.git$/.test(source) &&
    source.split('/').every((part) => !/^[.-]|[.-]$/.test(part))
  );
}

export function checkRepositoryId(id: string): void {
  if (!isRepositoryId(id))
    throw new Blip2Error('INVALID_ARGUMENT', 'This is not the id of a repository on the hub', {
      expected: 'owner/name',
      got: JSON.stringify(id.slice(0, 200)),
    });
}

/** Revisions become file names below `refs/`: what could lead elsewhere is refused. */
export function checkRevision(revision: string): void {
  if (
    REVISION_PATTERN.test(revision) &&
    revision.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock'))
  )
    return;
  throw new Blip2Error('INVALID_ARGUMENT', 'This is not a revision', {
    where: 'revision',
    expected: 'a branch, a tag or a commit',
    got: JSON.stringify(revision.slice(0, 200)),
  });
}

/** Whether the revision names a commit in full, which never changes. */
export function isCommit(revision: string): boolean {
  return COMMIT_PATTERN.test(revision);
}
