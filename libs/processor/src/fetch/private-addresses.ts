import { BlockList, isIP } from 'node:net';

/** Networks that are not public: IANA's special-purpose registries (RFC 6890 and its updates) and multicast. */
const PRIVATE_IPV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/** Includes the transition networks (IPv4-mapped, NAT64, Teredo, 6to4), whose addresses contain an IPv4 address. */
const PRIVATE_IPV6: readonly (readonly [string, number])[] = [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

/** One list per address family: in a shared one, Node matches all IPv4 addresses against the IPv4-mapped network. */
const blocked: Readonly<Record<'ipv4' | 'ipv6', BlockList>> = { ipv4: new BlockList(), ipv6: new BlockList() };
for (const [network, prefix] of PRIVATE_IPV4) blocked.ipv4.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of PRIVATE_IPV6) blocked.ipv6.addSubnet(network, prefix, 'ipv6');

/**
 * Whether an IP address is private, loopback, link-local, multicast or otherwise not public. True for strings that are
 * not addresses.
 */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  return isIP(address) === 0 || blocked[family].check(address, family);
}
