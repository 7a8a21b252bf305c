/**
 * What the operator lets tools reach beyond the public internet. Nothing by default. Two ways to say so, both out of reach
 * of whoever writes a bundle: networks and hosts in `TUTTI_TOOLS_PRIVATE_NETWORKS`, and an address that a variable of
 * the operator's holds and that a source's URL begins with.
 */
import { BlockList, isIP, isIPv6 } from 'node:net';
import { plainAddress } from './addresses.ts';

export interface Grants {
  /** `host`: as it stands in the URL; `address`: what is connected to. */
  allows(host: string, address: string, port: number): boolean;
  /** These and this origin (`http://host:port`). */
  withOrigin(origin: string): Grants;
}

export interface GrantList {
  networks: { address: string; prefix: number }[];
  /** Host or address; `port` undefined: every port. */
  hosts: { host: string; port: number | undefined }[];
}

/** `10.0.0.0/8, 127.0.0.1:8080, [::1]:80, db.internal`: separated by commas or spaces. Throws on what it does not know. */
export function parseGrants(text: string): GrantList {
  const list: GrantList = { networks: [], hosts: [] };
  for (const entry of text.split(/[\s,]+/).filter(Boolean)) {
    const network = /^\[?([0-9a-fA-F.:]+)\]?\/(\d{1,3})$/.exec(entry);
    if (network && isIP(network[1]!) && Number(network[2]) <= (isIPv6(network[1]!) ? 128 : 32)) {
      list.networks.push({ address: network[1]!, prefix: Number(network[2]) });
      continue;
    }
    const host = isIPv6(entry) ? `[${entry}]` : entry;
    const url = URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`) : undefined;
    if (!url || url.username || url.password || url.pathname !== '/' || url.search || url.hash)
      throw new Error(`"${entry}" is no network (10.0.0.0/8), host or host:port`);
    const port = /:(\d+)$/.exec(host.replace(/^\[.*\]/, ''))?.[1];
    list.hosts.push({ host: hostKey(url.hostname), port: port === undefined ? undefined : Number(port) });
  }
  return list;
}

export function createGrants({ networks, hosts }: GrantList): Grants {
  const blocks = new BlockList();
  for (const { address, prefix } of networks) blocks.addSubnet(address, prefix, isIPv6(address) ? 'ipv6' : 'ipv4');
  return {
    allows(host, address, port) {
      const plain = plainAddress(address);
      if (blocks.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')) return true;
      const key = hostKey(host);
      return hosts.some((granted) => granted.host === key && (granted.port === undefined || granted.port === port));
    },
    withOrigin(origin) {
      const url = new URL(origin);
      const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
      return createGrants({ networks, hosts: [...hosts, { host: hostKey(url.hostname), port }] });
    },
  };
}

export const NO_GRANTS: Grants = createGrants({ networks: [], hosts: [] });

function hostKey(host: string): string {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return isIP(bare) ? plainAddress(bare) : bare.replace(/\.$/, '');
}
