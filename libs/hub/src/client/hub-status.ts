import { Blip2Error } from '@blip2/interfaces';

import { type HubSession, redactUrl } from './hub-request.ts';
import { retryAfter, type Transient, transient } from './retry.ts';

/** What was asked for, for messages. */
export interface RequestedRevision {
  readonly id: string;
  readonly revision: string;
}

/** An answer that is no success: thrown if asking again is no use. The hub names the reason in `X-Error-Code`. */
export function failedStatus(
  response: Response,
  { settings }: HubSession,
  { id, revision }: RequestedRevision,
): Transient {
  const { status, headers } = response;
  const where = response.url === '' ? id : redactUrl(new URL(response.url));
  const isStorage = response.url !== '' && new URL(response.url).origin !== new URL(settings.endpoint).origin;
  // Addresses of the storage are signed for a while: the hub gives a new one.
  if (isStorage)
    return transient(
      new Blip2Error('DOWNLOAD_FAILED', 'The storage of the hub refuses', {
        where,
        got: `status ${status}`,
        fix: 'Try again later',
      }),
      retryDelay(headers),
    );
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const failure = new Blip2Error(
      'DOWNLOAD_FAILED',
      status === 429 ? 'The hub asks for fewer requests' : 'The hub is in trouble',
      { where, got: `status ${status}`, fix: 'Try again later' },
    );
    return transient(failure, retryDelay(headers));
  }
  const reason = headers.get('x-error-code');
  if (reason === 'RevisionNotFound') {
    throw new Blip2Error('NOT_FOUND', 'The repository has no such revision', {
      where: id,
      got: revision,
      fix: 'Give a branch, a tag or a commit of it',
    });
  }
  if (reason === 'GatedRepo') {
    throw new Blip2Error('UNAUTHORIZED', 'The repository asks its users to agree to its terms first', {
      where: id,
      fix: `Agree to them at ${settings.endpoint}/${id}, then give a token of that account (HF_TOKEN)`,
    });
  }
  // The hub does not tell strangers which private repositories exist.
  if (status === 401 && reason !== 'RepoNotFound' && settings.token !== undefined) {
    throw new Blip2Error('UNAUTHORIZED', 'The hub does not accept the token', {
      where: id,
      fix: 'Give another token (HF_TOKEN), or none for public repositories',
    });
  }
  if (status === 401 || status === 404 || reason === 'RepoNotFound') {
    const fix =
      settings.token === undefined
        ? 'Check the name; a private repository needs a token (HF_TOKEN)'
        : 'Check the name, and that the token may read it';
    throw new Blip2Error(
      'NOT_FOUND',
      reason === 'EntryNotFound' ? 'The repository has no such file' : 'The hub has no such repository',
      reason === 'EntryNotFound' ? { where, fix } : { where: id, subject: id, fix },
    );
  }
  if (status === 403)
    throw new Blip2Error('UNAUTHORIZED', 'The hub does not allow this', {
      where,
      fix: 'Give a token that may read the repository (HF_TOKEN)',
    });
  throw new Blip2Error('DOWNLOAD_FAILED', 'The hub gave an answer that was not expected', {
    where,
    got: `status ${status}`,
  });
}

function retryDelay(headers: Headers): { readonly retryAfter?: number } {
  const wait = retryAfter(headers);
  return wait === undefined ? {} : { retryAfter: wait };
}
