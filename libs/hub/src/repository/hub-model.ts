import { mustBe } from '@blip2/interfaces';

import { checkRevision, isRepositoryId } from './repository-id.ts';

/** A model on the Hub, as a user names it. */
export interface HubModel {
  readonly id: string;
  /** Branch, tag or commit, if the name contains one. */
  readonly revision?: string;
}

/** Hosts of the public Hub. */
const HUB_HOSTS: ReadonlySet<string> = new Set(['huggingface.co', 'www.huggingface.co', 'hf.co']);
/** `hf://owner/name@revision`, as `huggingface_hub` writes it. */
const HF_PATTERN = /^hf:\/\/(?:models\/)?(?<name>[^?#]+?)\/?$/;
/** Paths of a model page: the model, a revision (names of pull requests contain slashes), or a file of a revision. */
const REVISION = String.raw`refs/(?:pr|convert)/[^/]+|[^/]+`;
const PAGE_PATTERN = new RegExp(
  String.raw`^/(?<id>[^/]+(?:/[^/]+)?)` +
    String.raw`(?:/(?:tree|commit)/(?<tree>${REVISION})|/(?:blob|resolve|raw)/(?<file>${REVISION})/[^/]+)?/?$`,
);

/**
 * Reads the name of a model on the Hub: `owner/name`, `owner/name@revision`, or the address of its page
 * (`https://huggingface.co/owner/name/tree/revision`, `hf://owner/name@revision`). `undefined` for anything else, such
 * as a path. `endpoint` is the Hub's address, if it is not the public one.
 * @throws Blip2Error `INVALID_ARGUMENT` for an address that is not that of a model, and for an invalid revision.
 */
export function parseHubModel(source: string, endpoint?: string): HubModel | undefined {
  const named = HF_PATTERN.exec(source)?.groups?.['name'];
  if (named !== undefined) return parseName(named) ?? refuse(source);
  const page = pagePath(source, endpoint);
  if (page === undefined) return /^(?:https?|hf):\/\//i.test(source) ? refuse(source) : parseName(source);
  const { id = '', tree, file } = PAGE_PATTERN.exec(page)?.groups ?? {};
  const name = id.replace(/\.git$/, '');
  if (!isRepositoryId(name) || /^(?:datasets|spaces|api|docs)\//.test(name)) return refuse(source);
  const revision = tree ?? file;
  if (revision !== undefined) checkRevision(revision);
  return revision === undefined ? { id: name } : { id: name, revision };
}

function parseName(name: string): HubModel | undefined {
  const at = name.indexOf('@');
  if (at < 0) return isRepositoryId(name) ? { id: name } : undefined;
  const [id, revision] = [name.slice(0, at), name.slice(at + 1)];
  if (!isRepositoryId(id)) return undefined;
  checkRevision(revision);
  return { id, revision };
}

/** The decoded path below the Hub's address; `undefined` for another address, and for no address at all. */
function pagePath(source: string, endpoint: string | undefined): string | undefined {
  const address = /^(?:www\.)?(?:huggingface\.co|hf\.co)\//i.test(source) ? `https://${source}` : source;
  const url = /^https?:\/\//i.test(address) && URL.canParse(address) ? new URL(address) : undefined;
  if (!url) return undefined;
  const base = endpoint === undefined ? undefined : new URL(endpoint);
  const prefix = base?.pathname.replace(/\/+$/, '') ?? '';
  const isOwn = base !== undefined && url.origin === base.origin && url.pathname.startsWith(`${prefix}/`);
  if (!isOwn && !HUB_HOSTS.has(url.hostname)) return undefined;
  try {
    return decodeURIComponent(isOwn ? url.pathname.slice(prefix.length) : url.pathname);
  } catch {
    return undefined;
  }
}

function refuse(source: string): never {
  throw mustBe('model', 'a folder, a repository id (owner/name), or the address of a model on the Hub', source, {
    fix: 'Use the address of the model page, such as https://huggingface.co/owner/name/tree/main',
  });
}
