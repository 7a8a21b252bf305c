/** Every named limit of getting and running a nats-server. Other files in this folder carry no numbers of their own. */

const mebibyte = 1024 * 1024;

export const FETCH_LIMITS = {
  /** From the start of a request to the headers of its answer: name lookup, TCP, TLS and the server's own delay. */
  connectTimeoutMs: 5_000,
  /** The longest silence within a download. */
  stallTimeoutMs: 10_000,
  downloadTimeoutMs: 300_000,
  redirectsMax: 5,
  archiveBytesMax: 64 * mebibyte,
  checksumsBytesMax: 256 * 1024,
  binaryBytesMax: 128 * mebibyte,
  versionProbeTimeoutMs: 5_000,
  /** A binary that another process has only just finished writing can be "text file busy" for a moment. */
  versionProbeAttemptsMax: 4,
  versionProbeRetryMs: 100,
  pipProbeTimeoutMs: 10_000,
  pipConnectTimeoutSeconds: 5,
  pipTimeoutMs: 120_000,
  goProbeTimeoutMs: 10_000,
  goDownloadTimeoutMs: 60_000,
  goInstallTimeoutMs: 300_000,
  commandOutputCharsMax: 16_384,
  progressIntervalMs: 2_000,
  reasonCharsMax: 400,
  /** What a killed process left half-fetched is removed after this time. */
  abandonedAgeMs: 3_600_000,
} as const;

export const RUN_LIMITS = {
  payloadBytesMax: 8 * mebibyte,
  logFileBytesMax: 10 * mebibyte,
  logFilesMax: 3,
  /** A large store is read back before the server listens: 5.5 s were measured for 600,000 subjects. */
  readyTimeoutMs: 120_000,
  readyPollMs: 25,
  probeTimeoutMs: 2_000,
  probeBytesMax: mebibyte,
  /** From SIGTERM to SIGKILL, by us and by the guard. */
  stopTimeoutMs: 10_000,
  /** From SIGKILL until the process must be gone. */
  killTimeoutMs: 5_000,
  exitPollMs: 20,
  /** How long a server that a dead process left behind may take to end by itself: its guard is at it already. */
  previousServerGraceMs: 1_500,
  /** How long to wait for another process that may be about to give the folder up. */
  ownerWaitMs: 1_000,
  ownerPollMs: 50,
  restartsInARowMax: 20,
  restartBackoffMs: 100,
  restartBackoffMsMax: 5_000,
  /** A server that ran this long counts as healthy: the next restart is the first one again. */
  healthyAfterMs: 3_000,
  errorTailChars: 2_000,
  errorLinesMax: 5,
  processListTimeoutMs: 5_000,
  processListCharsMax: 8 * mebibyte,
} as const;
