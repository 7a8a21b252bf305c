/** Every named limit of `tutti up`. */
export const UP_LIMITS = {
  /** From the start of a service until it says that it is ready. */
  readyTimeoutMs: 60_000,
  readyPollMs: 20,
  /** From a helper server's start to its first good answer. */
  helperReadyTimeoutMs: 30_000,
  helperPollMs: 50,
  helperProbeTimeoutMs: 2_000,
  /** From SIGTERM to SIGKILL. */
  helperStopSeconds: 5,
  helperBackoffMs: 200,
  helperBackoffMsMax: 10_000,
  /** A helper that ran this long counts as healthy. */
  helperHealthyAfterMs: 10_000,
  helperLogBytesMax: 10_000_000,
  /** Until the documents that changed can be found. */
  indexTimeoutMs: 60_000,
  indexPollMs: 100,
  natsProbeTimeoutMs: 5_000,
  /** All of stopping; after that the process ends anyway, and the guards end the rest. */
  stopTimeoutMs: 45_000,
  /** Two signals within this time are one: a terminal and npm both pass Ctrl-C on. */
  secondSignalAfterMs: 500,
} as const;
