/** Bookings: doctors, tables, courses, cars, concerts, classes, parking, tours, vets. Toolsets as strangers bring them, with what they ask. */
import { A, B, builtins, DATE, type Domain, DT, E, Failure, I, IRR, N, P, S, t } from './domain.ts';

const doctors = [
  { id: 11, name: 'Dr. Amira Haddad', specialty: 'dermatology', rating: 4.6, distanceKm: 3.2 },
  { id: 12, name: 'Dr. Paul Weiss', specialty: 'dermatology', rating: 4.9, distanceKm: 7.1 },
];

const hospital: Domain = {
  name: 'hospital appointments (REST operationIds, nested body)',
  tools: (w) => [
    t(
      'get_v1_doctors',
      'Find doctors',
      {
        specialty: E(['cardiology', 'dermatology', 'orthopedics', 'pediatrics']),
        name: S('Part of the name'),
        city: S(),
      },
      (a) => ({
        data: doctors.filter(
          (d) =>
            (!a.specialty || d.specialty === a.specialty) &&
            (!a.name || d.name.toLowerCase().includes(a.name.toLowerCase().replace(/^dr\.? /, ''))),
        ),
        meta: { total: 2 },
      }),
    ),
    t(
      'get_v1_doctors_id_slots',
      'Free appointment slots of a doctor',
      { 'id!': I('Doctor id'), from: DATE('First day'), to: DATE('Last day') },
      (a) => ({
        data: (w.noSlots ?? []).includes(a.id)
          ? []
          : [
              { slotId: `s${a.id}1`, start: '2026-11-24T09:00:00+01:00' },
              { slotId: `s${a.id}2`, start: '2026-11-24T14:30:00+01:00' },
            ],
      }),
    ),
    t(
      'post_v1_appointments',
      'Book an appointment',
      {
        'slotId!': S(),
        'patient!': P({ 'name!': S('Full name'), dateOfBirth: DATE(), insurance: E(['public', 'private']) }),
        reason: S(),
      },
      (a) => ({ id: 'ap_5', slotId: a.slotId, status: 'confirmed' }),
      IRR,
    ),
    t(
      'get_v1_appointments',
      'Appointments of a patient',
      { patientName: S(), status: E(['upcoming', 'past', 'cancelled']) },
      () => ({
        data: [
          { id: 'ap_2', start: '2026-12-01T08:00:00+01:00', doctor: 'Dr. Paul Weiss', status: 'upcoming' },
          { id: 'ap_3', start: '2026-12-15T10:00:00+01:00', doctor: 'Dr. Amira Haddad', status: 'upcoming' },
        ],
      }),
    ),
    t(
      'delete_v1_appointments_id',
      'Cancel an appointment',
      { 'id!': S('Appointment id') },
      (a) => ({ id: a.id, status: 'cancelled' }),
      IRR,
    ),
    ...builtins,
  ],
  facts: ["The user's name is Lena Fischer"],
  goals: [
    {
      say: 'Book me an appointment with a dermatologist on Tuesday',
      effects: [['post_v1_appointments', { slotId: /s1[12]1/, patient: { name: 'Lena Fischer' } }]],
    },
    {
      say: 'book the earliest appointment with the best rated dermatologist next week, reason: skin rash',
      effects: [['post_v1_appointments', { slotId: 's121' }]],
    },
    { say: 'Which dermatologists are there?', reads: [['get_v1_doctors', { specialty: 'dermatology' }]] },
    { say: 'When is my next appointment?', reads: [['get_v1_appointments', {}]], no: ['get_v1_doctors_id_slots'] },
    { say: 'Cancel appointment ap_2', effects: [['delete_v1_appointments_id', { id: 'ap_2' }]] },
    { say: 'Cancel my appointment', effects: [], answer: /\?/ },
    { say: 'cancel my appointment with Dr. Haddad', effects: [['delete_v1_appointments_id', { id: 'ap_3' }]] },
    { say: 'Does Dr. Weiss have any free slots on Tuesday?', reads: [['get_v1_doctors_id_slots', { id: 12 }]] },
  ],
};

const restaurants: Domain = {
  name: 'restaurant (camelCase, per-candidate check)',
  tools: (w) => [
    t(
      'searchRestaurants',
      'Search restaurants by cuisine and city',
      { cuisine: S('e.g. italian, thai'), 'city!': S(), maxPricePerPerson: N() },
      () => ({
        restaurants: [
          { restaurantId: 'r1', name: 'Da Mario', cuisine: 'italian', rating: 4.8, avgPrice: 35 },
          { restaurantId: 'r2', name: 'Trattoria Bella', cuisine: 'italian', rating: 4.5, avgPrice: 28 },
          { restaurantId: 'r3', name: 'Pasta Fresca', cuisine: 'italian', rating: 4.1, avgPrice: 18 },
        ],
      }),
      { returns: P({ restaurants: A(P({ restaurantId: S(), name: S(), cuisine: S(), rating: N(), avgPrice: N() })) }) },
    ),
    t(
      'checkTableAvailability',
      'Check whether a restaurant has a free table',
      {
        'restaurantId!': S(),
        'date!': DATE(),
        'time!': S('HH:MM, 24h'),
        'partySize!': I('', { minimum: 1, maximum: 20 }),
      },
      (a) => ({ restaurantId: a.restaurantId, available: !(w.full ?? []).includes(a.restaurantId) }),
      { returns: P({ restaurantId: S(), available: B() }) },
    ),
    t(
      'makeReservation',
      'Reserve a table',
      {
        'restaurantId!': S(),
        'date!': DATE(),
        'time!': S('HH:MM, 24h'),
        'partySize!': I('', { minimum: 1, maximum: 20 }),
        'guestName!': S(),
        specialRequests: S(),
      },
      (a) => ({ reservationId: 'res_1', restaurantId: a.restaurantId, status: 'confirmed' }),
      { ...IRR, returns: P({ reservationId: S(), status: S() }) },
    ),
    t(
      'cancelReservation',
      'Cancel a reservation',
      { 'reservationId!': S() },
      (a) => ({ reservationId: a.reservationId, status: 'cancelled' }),
      { ...IRR, returns: P({ reservationId: S(), status: S() }) },
    ),
  ],
  facts: ["The user's name is Marco Bianchi"],
  goals: [
    {
      say: 'Reserve a table for 4 at an italian restaurant in Hamburg tomorrow at 19:30',
      effects: [
        [
          'makeReservation',
          { date: '2026-11-23', time: '19:30', partySize: 4, guestName: 'Marco Bianchi', restaurantId: /r\d/ },
        ],
      ],
    },
    {
      say: 'Book a table for two at the best rated Italian restaurant in Hamburg on Friday at 8pm please',
      effects: [['makeReservation', { restaurantId: 'r1', date: '2026-11-27', time: '20:00', partySize: 2 }]],
    },
    {
      say: 'Book a table for two at the best rated Italian restaurant in Hamburg on Friday at 8pm please',
      world: { full: ['r1'] },
      effects: [['makeReservation', { restaurantId: 'r2', date: '2026-11-27', time: '20:00', partySize: 2 }]],
      answer: /Trattoria/,
    },
    {
      say: 'Book a table for two at an Italian restaurant in Hamburg on Friday at 8pm',
      world: { full: ['r1', 'r2', 'r3'] },
      effects: [],
    },
    {
      say: 'Reserve a table at Da Mario in Hamburg for 2 people tomorrow at 7pm',
      world: { full: ['r1'] },
      effects: [],
      answer: /did not/,
    },
    { say: 'Find italian restaurants in Hamburg', reads: [['searchRestaurants', { city: 'Hamburg' }]] },
    {
      say: 'Is there a free table at Trattoria Bella in Hamburg tomorrow at 18:00 for 3?',
      reads: [['checkTableAvailability', { restaurantId: 'r2', partySize: 3, time: '18:00' }]],
    },
    { say: 'Reserve a table in Hamburg', effects: [], answer: /\?/ },
    {
      say: ['Book a table for 2 at Da Mario in Hamburg tomorrow at 7pm', 'Make it 3 people'],
      effects: [
        ['makeReservation', { restaurantId: 'r1', partySize: 3 }],
        ['cancelReservation', { reservationId: 'res_1' }],
      ],
    },
    {
      say: ['Book a table for 2 at Da Mario in Hamburg tomorrow at 7pm', 'Thanks, what was the reservation number?'],
      effects: [],
    },
    {
      say: ['Book a table for 2 at Da Mario in Hamburg tomorrow at 7pm', 'cancel it'],
      effects: [['cancelReservation', { reservationId: 'res_1' }]],
    },
    {
      say: ['Book a table for 2 at Da Mario in Hamburg tomorrow at 7pm', 'please add a note that we have a dog'],
      effects: [],
    },
  ],
};

const courses: Domain = {
  name: 'course enrolment (seats check per course)',
  tools: (w) => [
    t(
      'courses_search',
      'Search the course catalogue',
      { keyword: S(), level: E(['beginner', 'intermediate', 'advanced']), startsAfter: DATE() },
      () => ({
        results: [
          { courseId: 'C1', title: 'Pottery for beginners', price: 90, startDate: '2026-12-05', level: 'beginner' },
          { courseId: 'C2', title: 'Pottery evening class', price: 120, startDate: '2026-11-30', level: 'beginner' },
          { courseId: 'C3', title: 'Pottery masterclass', price: 240, startDate: '2027-01-10', level: 'advanced' },
        ],
        total: 3,
      }),
    ),
    t('course_seats', 'How many seats are left in a course', { 'courseId!': S() }, (a) => ({
      courseId: a.courseId,
      seatsLeft: (w.full ?? []).includes(a.courseId) ? 0 : 6,
    })),
    t('students_lookup', 'Find a student by e-mail address', { 'email!': S('', { format: 'email' }) }, (a) =>
      a.email === 'kim@uni.example' ? { studentId: 'S-55', name: 'Kim Vance' } : null,
    ),
    t(
      'enrol_student',
      'Enrol a student in a course',
      { 'courseId!': S(), 'studentId!': S() },
      (a) => ({ enrolmentId: 'EN-1', courseId: a.courseId }),
      IRR,
    ),
    t(
      'drop_course',
      'End an enrolment',
      { 'enrolmentId!': S() },
      (a) => ({ enrolmentId: a.enrolmentId, status: 'dropped' }),
      IRR,
    ),
  ],
  goals: [
    {
      say: 'Enrol kim@uni.example in the cheapest beginner pottery course',
      effects: [['enrol_student', { courseId: 'C1', studentId: 'S-55' }]],
    },
    {
      say: 'Enrol kim@uni.example in the cheapest beginner pottery course',
      world: { full: ['C1'] },
      effects: [['enrol_student', { courseId: 'C2', studentId: 'S-55' }]],
    },
    {
      say: 'Enroll kim@uni.example in the earliest pottery course',
      effects: [['enrol_student', { courseId: 'C2', studentId: 'S-55' }]],
    },
    {
      say: 'Sign kim@uni.example up for Pottery masterclass',
      effects: [['enrol_student', { courseId: 'C3', studentId: 'S-55' }]],
    },
    { say: 'Enrol nobody@uni.example in the pottery masterclass', effects: [] },
    { say: 'Are there seats left in the pottery masterclass?', reads: [['course_seats', { courseId: 'C3' }]] },
    {
      say: ['Enrol kim@uni.example in the pottery masterclass', 'Drop it again'],
      effects: [['drop_course', { enrolmentId: 'EN-1' }]],
    },
    {
      say: 'If there are seats left in course C2, enrol kim@uni.example in it.',
      effects: [['enrol_student', { courseId: 'C2', studentId: 'S-55' }]],
    },
    { say: 'If there are seats left in course C2, enrol kim@uni.example in it.', world: { full: ['C2'] }, effects: [] },
  ],
};

const cars: Domain = {
  name: 'car rental (POST search irreversible, nested driver, date-times)',
  tools: () => [
    t(
      'post_rentals_search',
      'Search available rental cars. Returns offers',
      {
        'pickupLocation!': S('City'),
        'pickupAt!': DT(),
        'returnAt!': DT(),
        carClass: E(['economy', 'compact', 'suv', 'van']),
      },
      () => ({
        offers: [
          { offerId: 'o1', car: 'Fiat 500', class: 'economy', totalPrice: 110, currency: 'EUR' },
          { offerId: 'o2', car: 'VW Golf', class: 'compact', totalPrice: 140, currency: 'EUR' },
        ],
      }),
      { ...IRR, returns: P({ offers: A(P({ offerId: S(), car: S(), class: S(), totalPrice: N(), currency: S() })) }) },
    ),
    t(
      'post_rentals',
      'Rent a car',
      {
        'offerId!': S(),
        'driver!': P({ 'firstName!': S(), 'lastName!': S(), 'age!': I('', { minimum: 18 }) }),
        extras: A(E(['gps', 'child_seat', 'snow_chains'])),
      },
      () => ({ rentalId: 'rn_1', status: 'confirmed' }),
      { ...IRR, returns: P({ rentalId: S(), status: S() }) },
    ),
    t('delete_rentals_rentalId', 'Cancel a rental', { 'rentalId!': S() }, (a) => ({ rentalId: a.rentalId }), {
      ...IRR,
      returns: P({ rentalId: S() }),
    }),
    t('get_rentals_rentalId', 'Get a rental', { 'rentalId!': S() }, (a) => ({
      rentalId: a.rentalId,
      status: 'confirmed',
      pickupAt: '2026-12-01T10:00:00Z',
    })),
    ...builtins,
  ],
  goals: [
    {
      say: 'Rent the cheapest car in Munich from 1 December 10:00 to 4 December 18:00 for Eva Lang, 34 years old',
      effects: [['post_rentals', { offerId: 'o1', driver: { firstName: 'Eva', lastName: 'Lang', age: 34 } }]],
      reads: [
        [
          'post_rentals_search',
          { pickupLocation: 'Munich', pickupAt: '2026-12-01T10:00:00+01:00', returnAt: '2026-12-04T18:00:00+01:00' },
        ],
      ],
    },
    {
      say: 'What cars can I rent in Munich from 1 December 10:00 to 4 December 18:00?',
      reads: [['post_rentals_search', { pickupLocation: 'Munich' }]],
      effects: [],
    },
    { say: 'Cancel rental rn_7', effects: [['delete_rentals_rentalId', { rentalId: 'rn_7' }]] },
    { say: 'show rental rn_7', reads: [['get_rentals_rentalId', { rentalId: 'rn_7' }]] },
    { say: 'Rent a car', effects: [], answer: /\?/ },
  ],
};

const concerts: Domain = {
  name: 'concerts (hold that expires, undo)',
  tools: (w) => [
    t(
      'findEvents',
      'Find concerts',
      { artist: S(), city: S(), dateFrom: DATE(), dateTo: DATE(), maxPrice: N() },
      () => ({
        events: [
          { eventId: 'e1', title: 'Nils Frahm', city: 'Berlin', date: '2026-12-10', price: 65 },
          { eventId: 'e2', title: 'Nils Frahm', city: 'Leipzig', date: '2026-12-12', price: 48 },
        ],
      }),
      { returns: P({ events: A(P({ eventId: S(), title: S(), city: S(), date: DATE(), price: N() })) }) },
    ),
    t(
      'holdSeats',
      'Put seats on hold for ten minutes',
      { 'eventId!': S(), 'quantity!': I('', { minimum: 1, maximum: 8 }), category: E(['A', 'B', 'standing']) },
      () => {
        w.holds = (w.holds ?? 0) + 1;
        return { holdId: `hold_${w.holds}`, expiresAt: '2026-11-22T14:10:00Z' };
      },
      { effect: 'keyed', returns: P({ holdId: S(), expiresAt: DT() }) },
    ),
    t(
      'purchaseTickets',
      'Buy the tickets on hold',
      { 'holdId!': S(), 'email!': S('Where the tickets go', { format: 'email' }) },
      (a) =>
        a.holdId === `hold_${w.expired ?? 0}` || w.alwaysExpired
          ? new Failure(
              JSON.stringify({ status: 410, error: { code: 'HOLD_EXPIRED', message: 'The hold has expired.' } }),
            )
          : { orderId: 'ord_1', holdId: a.holdId, tickets: 2 },
      { ...IRR, returns: P({ orderId: S(), tickets: I() }) },
    ),
    t('voidOrder', 'Takes an order back', { 'orderId!': S() }, (a) => ({ orderId: a.orderId, status: 'void' }), {
      ...IRR,
      returns: P({ orderId: S(), status: S() }),
    }),
  ],
  facts: ["The user's e-mail is jana@mail.example"],
  goals: [
    {
      say: 'Buy 2 tickets for Nils Frahm in Leipzig',
      effects: [
        ['holdSeats', { eventId: 'e2', quantity: 2 }],
        ['purchaseTickets', { holdId: 'hold_1', email: 'jana@mail.example' }],
      ],
    },
    {
      say: 'Buy 2 tickets for Nils Frahm in Leipzig',
      world: { expired: 1 },
      effects: [
        ['holdSeats', { eventId: 'e2' }],
        ['purchaseTickets', { holdId: 'hold_1' }],
        ['holdSeats', { eventId: 'e2' }],
        ['purchaseTickets', { holdId: 'hold_2' }],
      ],
      answer: /ord_1/,
    },
    {
      say: 'Buy 2 tickets for Nils Frahm in Leipzig',
      world: { alwaysExpired: true },
      effects: [
        ['holdSeats', { eventId: 'e2' }],
        ['purchaseTickets', { holdId: 'hold_1' }],
        ['holdSeats', { eventId: 'e2' }],
        ['purchaseTickets', { holdId: 'hold_2' }],
      ],
      answer: /expired/,
    },
    { say: 'Get me the cheapest tickets for Nils Frahm in December, 2 of them', effects: [] },
    { say: 'when does Nils Frahm play in Berlin?', reads: [['findEvents', {}]], effects: [] },
    { say: ['Buy 2 tickets for Nils Frahm in Leipzig', 'cancel it'], effects: [['voidOrder', { orderId: 'ord_1' }]] },
    {
      say: ['Buy 2 tickets for Nils Frahm in Leipzig', 'make it 3'],
      effects: [
        ['holdSeats', { eventId: 'e2', quantity: 3 }],
        ['purchaseTickets', {}],
        ['voidOrder', {}],
      ],
    },
  ],
};

const gym: Domain = {
  name: 'gym classes',
  tools: (w) => [
    t(
      'listClasses',
      'List fitness classes',
      { day: DATE(), type: E(['yoga', 'spinning', 'pilates', 'boxing']), trainer: S() },
      () => ({
        classes: [
          { classId: 'k1', type: 'yoga', start: '2026-11-24T18:00:00', trainer: 'Mina', spotsLeft: w.spots ?? 3 },
          { classId: 'k2', type: 'yoga', start: '2026-11-24T20:00:00', trainer: 'Ben', spotsLeft: 5 },
        ],
      }),
    ),
    t('bookClass', 'Book a spot in a class', { 'classId!': S() }, () => ({ bookingId: 'bc_1' }), IRR),
    t('releaseSpot', 'Release a spot', { 'bookingId!': S() }, (a) => ({ bookingId: a.bookingId }), IRR),
    t('membershipStatus', "The member's plan and expiry date", {}, () => ({ plan: 'Gold', expires: '2027-03-31' }), {}),
  ],
  goals: [
    {
      say: 'Book me into the earliest yoga class on Tuesday',
      effects: [['bookClass', { classId: 'k1' }]],
      reads: [['listClasses', { type: 'yoga', day: '2026-11-24' }]],
    },
    { say: 'book the yoga class with Ben on tuesday', effects: [['bookClass', { classId: 'k2' }]] },
    { say: 'When does my membership expire?', reads: [['membershipStatus', {}]], effects: [] },
    { say: 'What classes are there tomorrow?', reads: [['listClasses', { day: '2026-11-23' }]] },
    {
      say: ['book the yoga class with Ben on tuesday', 'Actually, cancel that'],
      effects: [['releaseSpot', { bookingId: 'bc_1' }]],
    },
    { say: 'Freeze my membership', effects: [] },
  ],
};

const parking: Domain = {
  name: 'parking',
  tools: () => [
    t(
      'find_parking',
      'Find parking garages near a place',
      { 'location!': S('Address or place'), arrival: DT(), departure: DT() },
      () => ({
        results: [
          { garage_id: 'g1', name: 'Central', price_per_hour: 4, distance_m: 300 },
          { garage_id: 'g2', name: 'Riverside', price_per_hour: 2.5, distance_m: 900 },
        ],
      }),
    ),
    t(
      'reserve_parking',
      'Reserve a parking space',
      {
        'garage_id!': S(),
        'license_plate!': S('', { pattern: '^[A-Z]{1,3}-[A-Z]{1,2} ?[0-9]{1,4}$' }),
        'arrival!': DT(),
        'departure!': DT(),
      },
      () => ({ reservation_id: 'pr1' }),
      IRR,
    ),
    t('extend_parking', 'Extend a reservation', { 'reservation_id!': S(), 'minutes!': I() }, () => ({ ok: true }), IRR),
  ],
  facts: ["The user's license plate is B-XY 123"],
  goals: [
    {
      say: 'Reserve the closest parking near Alexanderplatz tomorrow from 9:00 to 17:00',
      effects: [
        [
          'reserve_parking',
          {
            garage_id: 'g1',
            license_plate: 'B-XY 123',
            arrival: '2026-11-23T09:00:00+01:00',
            departure: '2026-11-23T17:00:00+01:00',
          },
        ],
      ],
    },
    { say: 'find cheap parking near Alexanderplatz', reads: [['find_parking', { location: /Alexanderplatz/ }]] },
    {
      say: 'Extend reservation pr_77 by 45 minutes',
      effects: [['extend_parking', { reservation_id: 'pr_77', minutes: 45 }]],
    },
    {
      say: ['Reserve the closest parking near Alexanderplatz tomorrow from 9:00 to 17:00', 'extend it by one hour'],
      effects: [['extend_parking', { reservation_id: 'pr1', minutes: 60 }]],
    },
    { say: 'Reserve parking', effects: [], answer: /\?/ },
  ],
};

const farm: Domain = {
  name: 'tours (undo declared, date-time)',
  tools: () => [
    t(
      'reserveTour',
      'Reserve a guided tour',
      {
        'tourId!': S(),
        'startsAt!': DT(),
        'people!': I('', { minimum: 1 }),
        'contactEmail!': S('', { format: 'email' }),
      },
      () => ({ confirmation: { code: 'TC-5', tourId: 'tt1' } }),
      { ...IRR, undo: 'tourOps' },
    ),
    t('listTours', 'Guided tours', { language: E(['en', 'de', 'fr']) }, () => [
      { tourId: 'tt1', title: 'Old town walk', price: 15, durationMinutes: 90 },
      { tourId: 'tt2', title: 'Castle by night', price: 22, durationMinutes: 120 },
    ]),
    t(
      'tourOps',
      'Takes a confirmed reservation out of the system',
      { 'confirmationCode!': S() },
      () => ({ done: true }),
      IRR,
    ),
    t('removeReview', 'Delete a review', { 'code!': S() }, () => ({ done: true }), IRR),
  ],
  facts: ["The user's e-mail is zoe@mail.example"],
  goals: [
    {
      say: 'Reserve the Castle by night tour for 3 people on Saturday at 20:00',
      effects: [
        [
          'reserveTour',
          { tourId: 'tt2', people: 3, startsAt: '2026-11-28T20:00:00+01:00', contactEmail: 'zoe@mail.example' },
        ],
      ],
    },
    {
      say: ['Reserve the Castle by night tour for 3 people on Saturday at 20:00', 'cancel it'],
      effects: [['tourOps', { confirmationCode: 'TC-5' }]],
    },
    { say: 'What tours are there in french?', reads: [['listTours', {}]] },
    { say: 'Which is the shortest tour?', reads: [['listTours', {}]], answer: /Old town/ },
  ],
};

const pets: Domain = {
  name: 'vet clinic REST',
  tools: () => [
    t('GET_pets', 'Pets of the current owner', {}, () => [
      { petId: 3, name: 'Rex', species: 'dog' },
      { petId: 4, name: 'Luna', species: 'cat' },
    ]),
    t('GET_pets_petId_vaccinations', 'Vaccinations of a pet', { 'petId!': I() }, () => [
      { vaccine: 'rabies', due: '2027-01-10' },
    ]),
    t(
      'POST_visits',
      'Schedule a visit',
      { 'petId!': I(), 'date!': DATE(), time: S('HH:MM'), 'reason!': S('Why the pet comes') },
      () => ({ visitId: 91 }),
      IRR,
    ),
    t('DELETE_visits_visitId', 'Cancel a visit', { 'visitId!': I() }, () => ({ ok: true }), IRR),
    t('GET_visits', 'Upcoming visits', { petId: I() }, () => [
      { visitId: 88, petId: 3, date: '2026-12-03', reason: 'checkup' },
      { visitId: 89, petId: 4, date: '2026-12-08', reason: 'teeth' },
    ]),
  ],
  goals: [
    { say: 'When is the next rabies vaccination of Luna due?', reads: [['GET_pets_petId_vaccinations', { petId: 4 }]] },
    {
      say: 'Schedule a visit for Rex on December 4 at 10:30 because of a limping leg',
      effects: [['POST_visits', { petId: 3, date: '2026-12-04', time: '10:30', reason: /limping leg/ }]],
    },
    { say: 'Schedule a visit for Rex on December 4', effects: [], answer: /reason.*\?/i },
    { say: "Cancel Luna's visit", effects: [] },
    { say: 'cancel visit 88', effects: [['DELETE_visits_visitId', { visitId: 88 }]] },
    { say: 'Which pets do I have?', reads: [['GET_pets', {}]] },
  ],
};

export const places: readonly Domain[] = [hospital, restaurants, courses, cars, concerts, gym, parking, farm, pets];
