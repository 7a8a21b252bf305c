/** What stands in the calendar at its first start. The README tells readers which of these dates conflict. */
import type { CalendarEvent } from './store.ts';

const event = (
  id: string,
  title: string,
  start: string,
  end: string,
  busy = true,
  location?: string,
): CalendarEvent => ({
  id: `seed_${id}`,
  title,
  start,
  end,
  busy,
  ...(location && { location }),
});

export const SEED: readonly CalendarEvent[] = [
  event('year_end', 'Office closed over the holidays', '2026-12-24', '2027-01-01'),
  event('kick_off', 'Company kick-off', '2027-01-18', '2027-01-19', true, 'Berlin'),
  event('dentist', 'Dentist', '2027-03-02T08:30:00+01:00', '2027-03-02T09:30:00+01:00', true, 'Berlin'),
  event('quarter', 'Quarterly review with finance', '2027-04-14', '2027-04-15', true, 'Berlin'),
  event('one_to_one', 'One-to-one with Jonas', '2027-05-10T14:00:00+02:00', '2027-05-10T15:00:00+02:00'),
  event('whit_monday', 'Whit Monday (public holiday)', '2027-05-17', '2027-05-17', false),
  event('team_weekly', 'Team weekly', '2027-05-18T09:30:00+02:00', '2027-05-18T10:30:00+02:00'),
  event('release', 'Release week: no travel', '2027-05-25', '2027-05-28'),
  event('board', 'Board meeting', '2027-06-08', '2027-06-09', true, 'Berlin'),
  event('workshop', 'Customer workshop', '2027-06-17T09:00:00+02:00', '2027-06-17T17:00:00+02:00', true, 'Hamburg'),
  event('leave', 'Annual leave', '2027-07-12', '2027-07-30'),
  event('offsite', 'Team offsite', '2027-09-13', '2027-09-15', true, 'Leipzig'),
];
