/** The data that the flights server answers with and stores; `openapi.yaml` describes the same shapes to callers. */
export type Cabin = 'economy' | 'premium_economy' | 'business' | 'first';
export const CABINS: readonly Cabin[] = ['economy', 'premium_economy', 'business', 'first'];

export type FlightOffer = {
  offerId: string;
  airline: string;
  flightNumber: string;
  origin: string;
  originCity: string;
  destination: string;
  destinationCity: string;
  departureDate: string;
  departureAt: string;
  arrivalAt: string;
  returnDate?: string;
  durationMinutes: number;
  stops: number;
  cabin: Cabin;
  passengers: number;
  price: number;
  currency: 'EUR';
  refundable: boolean;
};

export type HotelOffer = {
  hotelOfferId: string;
  hotelName: string;
  city: string;
  district: string;
  stars: number;
  checkInDate: string;
  checkOutDate: string;
  nights: number;
  guests: number;
  pricePerNight: number;
  price: number;
  currency: 'EUR';
  breakfastIncluded: boolean;
  refundable: boolean;
};

export type Hold = {
  holdId: string;
  offer: FlightOffer;
  passengerName: string;
  heldAt: string;
  expiresAt: string;
};

type BookingBase = {
  bookingId: string;
  reference: string;
  status: 'confirmed' | 'cancelled';
  price: number;
  currency: 'EUR';
  bookedAt: string;
  freeCancellationUntil: string;
  cancelledAt?: string;
  refundAmount?: number;
};
export type FlightBooking = BookingBase & { type: 'flight'; passengerName: string; flight: FlightOffer };
export type HotelBooking = BookingBase & { type: 'hotel'; guestName: string; hotel: HotelOffer };
export type Booking = FlightBooking | HotelBooking;

/** Which key asked for an effect first, and with what: the same key with the same request gets the same answer. */
export type KeyUse = { key: string; request: string };

/** One line of `bookings.jsonl`. Lines are only ever added. */
export type StoredEvent =
  | { type: 'held'; hold: Hold; use?: KeyUse }
  | { type: 'booked'; booking: Booking; use?: KeyUse }
  | { type: 'cancelled'; bookingId: string; cancelledAt: string; refundAmount: number };
