/** Every limit of the flights server, in one place. */
export const LIMITS = {
  /** How long a hold keeps its price (`FLIGHTS_HOLD_MINUTES` overrides it). */
  holdMinutes: 30,
  /** How long a booking may be cancelled free of charge whatever its fare says. */
  freeCancellationHours: 24,
  passengersMax: 9,
  nightsMax: 60,
  /** Offers in one answer, cheapest first. */
  offersMax: 12,
  /** Bookings in one answer, newest first. */
  bookingsListedMax: 100,
  nameCharsMax: 120,
  idempotencyKeyCharsMax: 255,
  bodyBytesMax: 64 * 1024,
  /** Near names that an unknown city's error lists. */
  suggestionsMax: 5,
  /** Grace for open answers when the process is asked to stop. */
  drainMs: 2_000,
} as const;
