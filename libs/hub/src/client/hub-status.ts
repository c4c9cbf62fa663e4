import { Blip2Error, defined } from '@blip2/interfaces';

import { type HubSession, redactUrl } from './hub-request.ts';
import { retryAfter, type Transient, transient } from './retry.ts';

/** Repository and revision of a request, for error messages. */
export interface RequestedRevision {
  readonly id: string;
  readonly revision: string;
}

/**
 * Turns an unsuccessful response into a transient failure, or throws if a retry cannot help. The Hub names the reason
 * in `X-Error-Code`.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`
 */
export function failedStatus(
  response: Response,
  { settings }: HubSession,
  { id, revision }: RequestedRevision,
): Transient {
  const { status, headers } = response;
  const where = response.url === '' ? id : redactUrl(new URL(response.url));
  const isStorage = response.url !== '' && new URL(response.url).origin !== new URL(settings.endpoint).origin;
  const retry = (what: string): Transient =>
    transient(
      new Blip2Error('DOWNLOAD_FAILED', what, { where, got: `status ${status}`, fix: 'Try again later' }),
      defined({ retryAfter: retryAfter(headers) }),
    );
  // Signed storage URLs expire: the next attempt gets a new one from the Hub.
  if (isStorage) return retry("The Hub's storage refused the request");
  if (status === 429) return retry('The Hub limits the rate of requests');
  if (status === 408 || status === 425 || status >= 500) return retry('The Hub returned a server error');
  const reason = headers.get('x-error-code');
  if (reason === 'RevisionNotFound') {
    throw new Blip2Error('NOT_FOUND', 'The repository has no such revision', {
      where: id,
      got: revision,
      fix: 'Use a branch, tag or commit of the repository',
    });
  }
  if (reason === 'GatedRepo') {
    throw new Blip2Error('UNAUTHORIZED', 'The repository is gated: its terms must be accepted first', {
      where: id,
      fix: `Accept them at ${settings.endpoint}/${id}, then set HF_TOKEN to a token of that account`,
    });
  }
  // For anonymous requests the Hub does not tell whether a private repository exists.
  if (status === 401 && reason !== 'RepoNotFound' && settings.token !== undefined) {
    throw new Blip2Error('UNAUTHORIZED', 'The Hub rejected the token', {
      where: id,
      fix: 'Use another token (HF_TOKEN), or none for public repositories',
    });
  }
  if (status === 401 || status === 404 || reason === 'RepoNotFound') {
    const fix =
      settings.token === undefined
        ? 'Check the name; a private repository needs a token (HF_TOKEN)'
        : 'Check the name, and that the token has access to it';
    throw new Blip2Error(
      'NOT_FOUND',
      reason === 'EntryNotFound' ? 'The repository has no such file' : 'The Hub has no such repository',
      reason === 'EntryNotFound' ? { where, fix } : { where: id, subject: id, fix },
    );
  }
  if (status === 403)
    throw new Blip2Error('UNAUTHORIZED', 'The Hub denied access', {
      where,
      fix: 'Use a token with read access to the repository (HF_TOKEN)',
    });
  throw new Blip2Error('DOWNLOAD_FAILED', 'The Hub returned an unexpected status', {
    where,
    got: `status ${status}`,
    fix: 'Check HF_ENDPOINT and the proxy settings',
  });
}
