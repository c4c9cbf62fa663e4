import { Blip2Error } from '@blip2/interfaces';
import type { Dispatcher } from 'undici';

/** `fetch` of a URL. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The value of the first variable that is set and not empty. Lower case first, as in curl and Python. */
function firstOf(
  names: readonly string[],
  variables: NodeJS.ProcessEnv,
): readonly [name: string, value: string] | undefined {
  for (const name of names.flatMap((each) => [each, each.toUpperCase()])) {
    const value = variables[name]?.trim();
    if (value) return [name, value];
  }
  return undefined;
}

/**
 * Address of the proxy that the environment names for a URL: `http_proxy` or `https_proxy`, by the scheme of the URL,
 * else `all_proxy`, in lower or upper case, unless `no_proxy` excludes its host. `undefined` if there is none. May
 * contain a password.
 * @throws Blip2Error `INVALID_ARGUMENT` for a proxy that is not an http(s) address.
 */
export function proxyFor(url: URL, variables: NodeJS.ProcessEnv = process.env): string | undefined {
  const found = firstOf([url.protocol === 'https:' ? 'https_proxy' : 'http_proxy', 'all_proxy'], variables);
  if (!found || isExcluded(url, firstOf(['no_proxy'], variables)?.[1] ?? '')) return undefined;
  const [name, value] = found;
  const address = value.includes('://') ? value : `http://${value}`;
  if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) return address;
  // The address is not part of the error: it may contain a password.
  throw new Blip2Error('INVALID_ARGUMENT', `${name} must be the http(s) address of a proxy`, {
    argument: name,
    fix: 'Set it to an address such as http://proxy.example:3128, or unset it',
  });
}

/** Whether `no_proxy` names the host: `*`, a domain with its subdomains, or an address, each optionally with a port. */
function isExcluded(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      const [, name = '', onlyPort] = /^(\[.*\]|[^:]*|[^:]*:[^:]*:.*?)(?::(\d+))?$/.exec(entry) ?? [];
      const domain = name.replace(/^\*?\./, '').replace(/^\[?([^\]]*)\]?$/, '$1');
      if (domain === '' || (onlyPort !== undefined && onlyPort !== port)) return false;
      const own = host.replace(/^\[|\]$/g, '');
      return domain === '*' || own === domain || own.endsWith(`.${domain}`);
    });
}

/** Agents by address of their proxy, which keep connections open for the next request. */
const AGENTS: Map<string, Promise<Dispatcher>> = new Map();

async function createAgent(proxy: string): Promise<Dispatcher> {
  const { EnvHttpProxyAgent } = await import('undici');
  // Which URLs go through the proxy has been decided. Without TLS, a proxy is asked for the URL, as by other clients.
  return new EnvHttpProxyAgent({ httpProxy: proxy, httpsProxy: proxy, noProxy: '', proxyTunnel: false });
}

/**
 * The `fetch` to use for a URL: through the proxy of the environment, with every supported version of Node; `undefined`
 * if there is none, so that Node's own is used. `undici` is loaded only if there is a proxy.
 * @throws Blip2Error as `proxyFor`.
 */
export async function proxyFetch(url: URL, variables: NodeJS.ProcessEnv = process.env): Promise<Fetch | undefined> {
  const proxy = proxyFor(url, variables);
  if (proxy === undefined) return undefined;
  const agent = AGENTS.get(proxy) ?? createAgent(proxy);
  AGENTS.set(proxy, agent);
  const [{ fetch: proxiedFetch }, dispatcher] = await Promise.all([import('undici'), agent]);
  return async (address, init) => {
    // The classes of undici are not those of Node, but have the same members.
    const request = { ...init, dispatcher } as Parameters<typeof proxiedFetch>[1];
    return (await proxiedFetch(address, request)) as unknown as Response;
  };
}
