import { realpath } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';

import { homeFolder, readLimited } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

/** Resolved settings of the Hub and its cache. */
export interface HubSettings {
  /** URL without a trailing slash. It may have a path, as that of a company proxy. */
  readonly endpoint: string;
  /** Absolute path of the folder that contains `models--OWNER--NAME`. */
  readonly cacheFolder: string;
  readonly token: string | undefined;
  /** Never use the network. */
  readonly offline: boolean;
  /** Whether snapshot files may be links to blobs. If links turn out to be impossible, files are copied. */
  readonly symlinks: boolean;
  /** Maximum milliseconds until a response begins. */
  readonly responseTimeout: number;
  /** Milliseconds without enough bytes after which a response body counts as stalled. */
  readonly stallTimeout: number;
}

/** Options for the Hub and its cache. Each overrides an environment variable of `huggingface_hub`. */
export interface HubOptions {
  /**
   * Cache folder. Default, as in Python: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `XDG_CACHE_HOME/huggingface/hub`,
   * else `~/.cache/huggingface/hub`.
   */
  readonly cacheDir?: string;
  /** Access token. Default: `HF_TOKEN`, else the file written by `hf auth login`. Sent to the Hub's own origin only. */
  readonly token?: string;
  /** Uses cached files only, without the network. Also set by `HF_HUB_OFFLINE=1`. */
  readonly localFilesOnly?: boolean;
}

const PUBLIC_ENDPOINT = 'https://huggingface.co';
/** Default timeout of `huggingface_hub`, in seconds. */
const DEFAULT_TIMEOUT = 10;
/** Maximum size of a token file. Tokens have about 40 characters. */
const MAX_TOKEN_FILE_BYTES = 65_536;

/**
 * Resolves the settings from options and the `HF_*` environment variables.
 * @throws Blip2Error `INVALID_ARGUMENT` for an invalid endpoint or token, or if no variable names the cache and the
 * user has no home folder.
 */
export async function hubSettings(
  options: HubOptions = {},
  variables: NodeJS.ProcessEnv = process.env,
): Promise<HubSettings> {
  const value = (name: string): string | undefined => variables[name] || undefined;
  // A relative path is invalid by the specification of this variable, and would lead into the working folder.
  const xdg = value('XDG_CACHE_HOME');
  const home = value('HF_HOME') ?? join(xdg && isAbsolute(xdg) ? xdg : join('~', '.cache'), 'huggingface');
  const cacheFolder = options.cacheDir ?? value('HF_HUB_CACHE') ?? value('HUGGINGFACE_HUB_CACHE') ?? join(home, 'hub');
  return {
    endpoint: checkedEndpoint(value('HF_ENDPOINT') ?? PUBLIC_ENDPOINT),
    cacheFolder: resolve(expand(cacheFolder, variables)),
    token: checkedToken(options.token ?? (await implicitToken(home, variables))),
    offline: options.localFilesOnly === true || isTruthy(value('HF_HUB_OFFLINE') ?? value('TRANSFORMERS_OFFLINE')),
    symlinks: !isTruthy(value('HF_HUB_DISABLE_SYMLINKS')),
    responseTimeout: milliseconds(value('HF_HUB_ETAG_TIMEOUT')),
    stallTimeout: milliseconds(value('HF_HUB_DOWNLOAD_TIMEOUT')),
  };
}

/** The cache folder: `cacheDir`, or the one set by the environment. */
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

/** Expands `~`, `$NAME` and `${NAME}` as Python does in these variables. Unknown names are kept. */
function expand(path: string, variables: NodeJS.ProcessEnv): string {
  const named = path.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (whole, braced: string | undefined, bare: string | undefined) => variables[braced ?? bare ?? ''] ?? whole,
  );
  return /^~(?=$|[\\/])/.test(named) ? join(homeFolder('HF_HOME', variables), named.slice(1)) : named;
}

async function implicitToken(home: string, variables: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (isTruthy(variables['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return undefined;
  // As in Python, an empty variable is not set.
  const given = variables['HF_TOKEN']?.trim() || variables['HUGGING_FACE_HUB_TOKEN']?.trim();
  if (given) return given;
  return storedToken(() => expand(variables['HF_TOKEN_PATH'] || join(home, 'token'), variables));
}

/** The token in a file; undefined if the file cannot be read, or the user has no home folder for it. */
async function storedToken(path: () => string): Promise<string | undefined> {
  try {
    const file = await realpath(path());
    const stored = await readLimited(file, MAX_TOKEN_FILE_BYTES, { code: 'INVALID_ARGUMENT' });
    return new TextDecoder().decode(stored).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** `fetch` refuses any other token with an error that contains the token. Ours never does. */
function checkedToken(token: string | undefined): string | undefined {
  if (token === undefined || /^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw new Blip2Error('INVALID_ARGUMENT', 'token must be at most 4096 printable ASCII characters', {
    argument: 'token',
    fix: 'Copy the token (HF_TOKEN) again from the settings of your account',
  });
}

/** The address is not part of the error: it may contain a password. */
function checkedEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '' && url.hash === '')
    return url.href.replace(/\/+$/, '');
  throw new Blip2Error('INVALID_ARGUMENT', 'HF_ENDPOINT must be an http(s) URL without user, query or fragment', {
    argument: 'HF_ENDPOINT',
    fix: 'Set it to the address of the Hub, or unset it',
  });
}
