/**
 * Which network an IP address belongs to. Only addresses of the public internet count as public: a range that is not known
 * to be public is refused, also those that carry an IPv4 address inside (mapped, NAT64, 6to4, Teredo). Pure.
 */
import { BlockList, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Registered as public, and yet not: platforms answer there with credentials, or the range is for documents. */
const NOT_PUBLIC = new BlockList();
NOT_PUBLIC.addAddress('168.63.129.16');
NOT_PUBLIC.addSubnet('192.88.99.0', 24);
NOT_PUBLIC.addSubnet('192.31.196.0', 24);
NOT_PUBLIC.addSubnet('192.52.193.0', 24);
NOT_PUBLIC.addSubnet('192.175.48.0', 24);
NOT_PUBLIC.addSubnet('198.18.0.0', 15);
NOT_PUBLIC.addSubnet('3fff::', 20, 'ipv6');
NOT_PUBLIC.addSubnet('2001::', 23, 'ipv6');
NOT_PUBLIC.addSubnet('2002::', 16, 'ipv6');
/** The only IPv6 addresses that are given out to the internet (IANA). */
const GLOBAL_IPV6 = new BlockList();
GLOBAL_IPV6.addSubnet('2000::', 3, 'ipv6');

/** Undefined for a public address; otherwise the kind of network in one word. `address`: as `net.isIP` knows it. */
export function notPublicBecause(address: string): string | undefined {
  const plain = withoutZone(address);
  if (!ipaddr.isValid(plain)) return 'unknown';
  const parsed = ipaddr.parse(plain);
  const range = parsed.range();
  if (range !== 'unicast') return range;
  const family = parsed.kind();
  if (NOT_PUBLIC.check(plain, family)) return 'reserved';
  return family === 'ipv6' && !GLOBAL_IPV6.check(plain, 'ipv6') ? 'reserved' : undefined;
}

/** The IPv4 address in `::ffff:a.b.c.d`, which is the same host; any other address as it is, without a zone. */
export function plainAddress(address: string): string {
  const plain = withoutZone(address);
  if (!isIPv6(plain)) return plain;
  const parsed = ipaddr.parse(plain) as ipaddr.IPv6;
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.toString();
}

function withoutZone(address: string): string {
  return address.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
}
