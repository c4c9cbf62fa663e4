import type { HubSession } from './hub-request.ts';

/** URL of a file of a commit. */
export function fileUrl({ settings }: HubSession, id: string, commit: string, path: string): string {
  return `${settings.endpoint}/${id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
}
