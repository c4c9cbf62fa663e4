import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

/** Where the hub and its cache are, and how to talk to it. */
export interface HubSettings {
  /** Without a slash at its end. May have a path, as proxies of companies do. */
  readonly endpoint: string;
  /** The folder that holds `models--OWNER--NAME`. Absolute. */
  readonly cacheFolder: string;
  readonly token: string | undefined;
  /** Never ask the network. */
  readonly offline: boolean;
  /**
   * Whether the files of a snapshot may be links to blobs. Where links turn out to be impossible, files are copied all
   * the same.
   */
  readonly symlinks: boolean;
  /** Milliseconds until an answer begins. */
  readonly answerTimeout: number;
  /** Milliseconds without enough bytes after which a body counts as stuck. */
  readonly stallTimeout: number;
}

export interface HubOptions {
  /**
   * Default: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `XDG_CACHE_HOME/huggingface/hub`, else
   * `~/.cache/huggingface/hub`, as in Python.
   */
  readonly cacheDir?: string;
  /** Default: `HF_TOKEN`, else the file that `hf auth login` writes. Sent to the hub's own host only. */
  readonly token?: string;
  /** Takes what the cache has. Also with `HF_HUB_OFFLINE=1`. */
  readonly localFilesOnly?: boolean;
}

type Variables = Readonly<Record<string, string | undefined>>;

const PUBLIC_ENDPOINT = 'https://huggingface.co';
/** Seconds, as `huggingface_hub` has them. */
const DEFAULT_TIMEOUT = 10;

/**
 * The settings that the options and the `HF_*` variables give. @throws Blip2Error `INVALID_ARGUMENT` for an impossible
 * endpoint or token.
 */
export async function hubSettings(options: HubOptions = {}, variables: Variables = process.env): Promise<HubSettings> {
  const value = (name: string): string | undefined => variables[name] || undefined;
  const home = expand(
    value('HF_HOME') ?? join(value('XDG_CACHE_HOME') ?? join('~', '.cache'), 'huggingface'),
    variables,
  );
  const cacheFolder = options.cacheDir ?? value('HF_HUB_CACHE') ?? value('HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub');
  return {
    endpoint: checkedEndpoint(value('HF_ENDPOINT') ?? PUBLIC_ENDPOINT),
    cacheFolder: resolve(expand(cacheFolder, variables)),
    token: checkedToken(options.token ?? (await implicitToken(home, variables))),
    offline: options.localFilesOnly === true || isTruthy(value('HF_HUB_OFFLINE') ?? value('TRANSFORMERS_OFFLINE')),
    symlinks: !isTruthy(value('HF_HUB_DISABLE_SYMLINKS')),
    answerTimeout: milliseconds(value('HF_HUB_ETAG_TIMEOUT')),
    stallTimeout: milliseconds(value('HF_HUB_DOWNLOAD_TIMEOUT')),
  };
}

/** Where models are kept: `cacheDir`, or what the variables say. */
export async function hubCacheFolder(options: Pick<HubOptions, 'cacheDir'> = {}): Promise<string> {
  return (await hubSettings(options)).cacheFolder;
}

function isTruthy(value: string | undefined): boolean {
  return value !== undefined && /^(?:1|on|yes|true)$/i.test(value);
}

function milliseconds(seconds: string | undefined): number {
  const parsed = Number(seconds);
  return 1000 * (seconds !== undefined && Number.isFinite(parsed) && parsed > 0 ? parsed : DEFAULT_TIMEOUT);
}

/** `~`, `$NAME` and `${NAME}`, as Python expands them in these variables. An unknown name stays as it is. */
function expand(path: string, variables: Variables): string {
  const named = path.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (whole, braced: string | undefined, bare: string | undefined) => variables[braced ?? bare ?? ''] ?? whole,
  );
  return /^~(?=$|[\\/])/.test(named) ? join(variables['HOME'] || homedir(), named.slice(1)) : named;
}

async function implicitToken(home: string, variables: Variables): Promise<string | undefined> {
  if (isTruthy(variables['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return undefined;
  const given = (variables['HF_TOKEN'] ?? variables['HUGGING_FACE_HUB_TOKEN'])?.trim();
  if (given) return given;
  const file = expand(variables['HF_TOKEN_PATH'] || join(home, 'token'), variables);
  const stored = await readFile(file, 'utf8').catch(() => '');
  return stored.trim() || undefined;
}

/** A token with other characters would be refused by `fetch`, which repeats it in its message. */
function checkedToken(token: string | undefined): string | undefined {
  if (token === undefined || /^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw new Blip2Error('INVALID_ARGUMENT', 'The token of the hub holds characters that no token has', {
    where: 'token',
    fix: 'Copy it again from the settings of your account',
  });
}

function checkedEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '' && url.hash === '')
    return url.href.replace(/\/+$/, '');
  throw new Blip2Error('INVALID_ARGUMENT', 'The address of the hub is not valid', {
    where: 'HF_ENDPOINT',
    expected: 'an http(s) address without user and query',
  });
}
