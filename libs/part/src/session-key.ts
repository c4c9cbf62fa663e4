type RequestValue = string | number | boolean | undefined;

/**
 * The key of a session in `LazySessions`: the name of its graph and the request that the graph was built for. Requests
 * that ask for the same outputs have the same key: the order of members does not matter, and an absent member is
 * `false`.
 */
export function sessionKey(graph: string, request: { readonly [K in string]?: RequestValue }): string {
  const members = Object.entries(request)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => `${name}=${value}`)
    .toSorted();
  return [graph, ...members].join(' ');
}
