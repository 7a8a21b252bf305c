/**
 * General English word lists: verbs by what they do, function words, preference words, synonym groups, currencies.
 * Owns no logic. Nothing in here may belong to one subject area's data (no product, place or company names).
 */

/** What a verb asks for. The first group only reads; the rest change something in the world. */
export type VerbClass =
  | 'find'
  | 'list'
  | 'get'
  | 'check'
  | 'compute'
  | 'plan'
  | 'acquire'
  | 'create'
  | 'send'
  | 'schedule'
  | 'update'
  | 'undo'
  | 'pay'
  | 'operate'
  | 'prepare';

export const READ_CLASSES: ReadonlySet<VerbClass> = new Set<VerbClass>([
  'find',
  'list',
  'get',
  'check',
  'compute',
  'plan',
]);

const VERBS: Record<VerbClass, string> = {
  find: 'find search look lookup discover browse query seek explore suggest recommend pick choose select locate filter autocomplete resolve geocode identify',
  list: 'list show display enumerate view see index all',
  get: 'get fetch read retrieve describe tell give load inspect summarize summarise explain download current detail details',
  check: 'check verify validate test ensure probe',
  compute: 'calculate compute convert evaluate estimate compare count sum solve translate multiply divide subtract',
  plan: 'plan organize organise',
  acquire: 'book reserve buy purchase order hire rent checkout',
  create:
    'create add make open new register insert file raise log generate put enroll enrol enter join save store remember write issue record append remind',
  send: 'send email mail message notify post publish reply respond forward text invite share submit announce page broadcast ping ship dispatch deliver',
  schedule: 'schedule arrange',
  update:
    'update change edit modify set move reschedule postpone delay shift rename patch assign reassign adjust replace extend mark resize scale switch upgrade downgrade upsert push bump increase decrease raise lower promote toggle renew prolong reduce convert2',
  undo: 'cancel delete remove drop revoke refund undo terminate close withdraw unsubscribe release archive clear return destroy purge void unassign expire uninstall discard deactivate dismiss resolve2',
  pay: 'pay transfer charge deposit donate wire settle reimburse',
  operate:
    'restart reboot deploy run execute trigger launch stop start pause resume rollback approve reject accept decline enable disable lock unlock upload install import sync merge commit apply request activate reset block unblock ban kill turn shutdown confirm finalize finalise complete redeem claim acknowledge sign subscribe escalate',
  prepare: 'hold draft prepare quote initiate init begin stage propose authorize authorise preauthorize preview',
};

/** Verb → class. Entries earlier in the table win, so that each verb has one class. */
export const VERB_CLASS: ReadonlyMap<string, VerbClass> = (() => {
  const map = new Map<string, VerbClass>();
  for (const [name, verbs] of Object.entries(VERBS) as [VerbClass, string][])
    for (const verb of verbs.split(' ')) if (!/\d$/.test(verb) && !map.has(verb)) map.set(verb, name);
  return map;
})();

/** Classes that a user's verb and a tool's verb may differ in and still mean the same act. */
export const RELATED_CLASSES: Record<string, readonly VerbClass[]> = {
  acquire: ['create', 'pay', 'operate', 'send'],
  create: ['acquire', 'schedule', 'send', 'update', 'operate'],
  send: ['create', 'operate'],
  schedule: ['create', 'acquire', 'update'],
  update: ['operate', 'schedule', 'create'],
  undo: ['operate', 'update'],
  pay: ['acquire', 'create', 'send', 'operate'],
  operate: ['update', 'create', 'send', 'pay', 'undo'],
  prepare: ['create', 'acquire', 'operate'],
};

/** Things that exist only to prepare the real act: creating one as a stepping stone is what the user meant. */
export const PREPARATORY_NOUNS: ReadonlySet<string> = new Set(
  'hold cart basket session draft quote reservation upload token intent preview estimate'.split(' '),
);

const list = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter(Boolean));

export const STOP_WORDS =
  list(`a an the this that these those my your our their his her its i you we they he she it me us them him
  is are was were be been being am do does did doing done have has had having will would can could should shall may might must
  and or but if then so than too very just also only not no nor yes please kindly thanks thank ok okay hi hello hey dear
  of to in on at by for from with about into onto over under between through during before after as per via within without
  what which who whom whose when where why how there here any some all each every both either more most other another such own same
  up down out off again once ever now still already yet let lets us want need like wish help get give tell go ahead right away
  one ones thing things something anything everything someone anyone really actually maybe perhaps well much many lot bit etc
  im ill id ive dont doesnt cant wont isnt arent whats hows wheres whos thats theres s t re ve ll d m able
  following using use used around across against toward towards upon while because since until till due regarding concerning`);

/** Words that link a value to its role; kept as cues although they carry no topic. */
export const CUES =
  list(`to from in at for with about of on near by into via regarding concerning under over below above between and until till since
  after before called named titled saying within through through as per than around is are than email call contact notify message tell ask invite remind
  worth against versus vs onto id number whose entitled concerning between assign`);

export const QUESTION_STARTS = list(
  'what which who whom whose when where why how is are was were do does did has have am should whats hows wheres whos whens',
);

export const PRONOUNS = list('it that this them those these one ones him her everything both all same');

export const POLITE_STARTS = `(?:(?:please|kindly|ok|okay|yes|hi|hello|hey|great|thanks|then|also|so|now|next|just|well|finally|first|afterwards|and|but|or|if possible|go ahead and|could you|can you|would you|will you|can we|could we|would you mind|i want you to|i need you to|i would like you to|i'd like you to|i want to|i need to|i would like to|i'd like to|i wish to|i have to|i must|we want to|we need to|we have to|we'd like to|i wanna|let's|let us|help me to|help me|you should|you can|you may|be so kind and|try to|make sure to|don't forget to|remember to|to)[\\s,:!.]+)`;

/** Words that rank options. `key` names the field group, `order` the direction. */
export const PREFERENCES: readonly { words: RegExp; key: string; order: 'asc' | 'desc'; say: string }[] = [
  {
    words:
      /\b(cheapest|lowest[- ]price[d]?|lowest[- ]cost|least expensive|most affordable|cheap|inexpensive|budget[- ]friendly|lowest (?:price|fare|cost|rate|fee))\b/i,
    key: 'price',
    order: 'asc',
    say: 'cheapest',
  },
  {
    words: /\b(most expensive|priciest|dearest|highest[- ](?:price|cost))\b/i,
    key: 'price',
    order: 'desc',
    say: 'most expensive',
  },
  { words: /\b(fastest|quickest|shortest)\b/i, key: 'duration', order: 'asc', say: 'shortest' },
  {
    words: /\b(best[- ]rated|top[- ]rated|highest[- ]rated|best[- ]reviewed|highest rating|best)\b/i,
    key: 'rating',
    order: 'desc',
    say: 'best rated',
  },
  { words: /\b(newest|most recent|latest|last|recent)\b/i, key: 'time', order: 'desc', say: 'latest' },
  {
    words: /\b(oldest|earliest|soonest|first available|next available)\b/i,
    key: 'time',
    order: 'asc',
    say: 'earliest',
  },
  { words: /\b(nearest|closest)\b/i, key: 'distance', order: 'asc', say: 'nearest' },
  { words: /\b(largest|biggest)\b/i, key: 'size', order: 'desc', say: 'largest' },
  { words: /\b(smallest)\b/i, key: 'size', order: 'asc', say: 'smallest' },
];

/** Field names that mean the same for ranking and bounding. */
export const FIELD_GROUPS: Record<string, ReadonlySet<string>> = {
  price: list('price total fare cost amount rate fee charge sum subtotal budget spend value priceeur spending'),
  duration: list('duration minute hour length time elapsed eta'),
  rating: list('rating score star stars review rank points'),
  time: list(
    'date time start created updated departure depart departs arrival at day timestamp when due published year begin begins',
  ),
  distance: list('distance km miles meters metres away'),
  size: list('size capacity area count quantity volume storage memory amount value total'),
};

/** Words of one meaning group: a match through the group counts, but less than the word itself. */
export const SYNONYM_GROUPS: readonly ReadonlySet<string>[] = [
  list('weather forecast temperature rain rainy sunny umbrella snow wind climate degrees humidity hot cold warm'),
  list('price cost fare fee rate amount expensive charge'),
  list('meeting appointment event calendar invite call slot session'),
  list('calendar schedule agenda availability busy free event'),
  list('mail email inbox'),
  list('sms text message chat'),
  list('customer client buyer account shopper'),
  list('employee staff colleague worker coworker teammate'),
  list('person people contact who attendee participant user member'),
  list('stock inventory availability available'),
  list('vacation leave holiday pto absence timeoff'),
  list('bug issue ticket problem defect case'),
  list('incident outage alert'),
  list('repo repository'),
  list('money balance account funds'),
  list('trip journey travel'),
  list('task todo reminder remind'),
  list('doc document file article page'),
  list('phone mobile telephone'),
  list('address location place city town'),
  list('service deployment app application workload'),
  list('error failure exception fault'),
  list('metric cpu latency memory usage load utilization performance'),
  list('currency exchange money convert rate'),
  list('calculate calculator compute math arithmetic expression evaluate plus minus times percent sum product'),
  list('buy purchase order checkout'),
  list('book reserve reservation booking'),
  list('hire recruit'),
  list('remind reminder'),
  list('product item article good merchandise'),
  list('team group department'),
  list('invoice bill'),
  list('payment pay transaction transfer wire'),
  list('direct nonstop stops'),
  list('time clock hour timezone now'),
  list('definition define meaning dictionary'),
  list('translate translation language'),
  list('news headline article'),
  list('movie film'),
  list('song track music'),
  list('restart reboot'),
  list('car vehicle'),
  list('loan borrow lend checkout'),
  list('salary pay wage compensation'),
  list('package parcel shipment delivery shipping'),
  list('cancel cancellation delete remove'),
  list('cheap cheapest price'),
  list('convert conversion unit'),
  list('quantity count number amount'),
  list('doctor physician'),
  list('patient'),
  list('room space venue'),
  list('light lamp'),
  list('temperature thermostat heating'),
  list('status state'),
  list('contact find lookup directory'),
  list('move reschedule postpone shift change update'),
];

export const CURRENCY_SYMBOLS: Record<string, string> = {
  '€': 'EUR',
  $: 'USD',
  '£': 'GBP',
  '¥': 'JPY',
  '₹': 'INR',
  '₩': 'KRW',
  '₽': 'RUB',
  '₺': 'TRY',
  '₪': 'ILS',
  zł: 'PLN',
};
export const CURRENCY_CODES =
  list(`EUR USD GBP JPY CHF CAD AUD NZD CNY INR KRW SEK NOK DKK PLN CZK HUF RON BGN TRY ILS ZAR BRL MXN ARS CLP COP SGD HKD TWD
  THB IDR MYR PHP VND AED SAR QAR EGP NGN KES RUB UAH BTC ETH`);
export const CURRENCY_NAMES: Record<string, string> = {
  euro: 'EUR',
  euros: 'EUR',
  dollar: 'USD',
  dollars: 'USD',
  bucks: 'USD',
  pound: 'GBP',
  pounds: 'GBP',
  sterling: 'GBP',
  yen: 'JPY',
  franc: 'CHF',
  francs: 'CHF',
  rupee: 'INR',
  rupees: 'INR',
  yuan: 'CNY',
  renminbi: 'CNY',
  won: 'KRW',
  krona: 'SEK',
  kronor: 'SEK',
  zloty: 'PLN',
  lira: 'TRY',
  shekel: 'ILS',
  rand: 'ZAR',
  real: 'BRL',
  pesos: 'MXN',
  bitcoin: 'BTC',
};

export const NUMBER_WORDS: Record<string, number> = {
  zero: 0,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  eleven: 11,
  twelve: 12,
  thirteen: 13,
  fourteen: 14,
  fifteen: 15,
  sixteen: 16,
  seventeen: 17,
  eighteen: 18,
  nineteen: 19,
  twenty: 20,
  thirty: 30,
  forty: 40,
  fifty: 50,
  sixty: 60,
  ninety: 90,
  hundred: 100,
  dozen: 12,
};
export const ORDINAL_WORDS: Record<string, number> = {
  first: 1,
  second: 2,
  third: 3,
  fourth: 4,
  fifth: 5,
  sixth: 6,
  seventh: 7,
  eighth: 8,
  ninth: 9,
  tenth: 10,
  last: -1,
};

/** Result flags whose `false` (or zero) means "no". Compared by stem of the key's words. */
export const GO_FLAGS = list(
  'available availability free ok valid allowed permitted eligible approved possible sufficient enough instock stock success successful succeeded can authorized authorised accepted feasible compliant open bookable orderable purchasable inventory vacant',
);
/** Result flags whose `true` (or non-empty list) means "no". */
export const STOP_FLAGS = list(
  'conflict conflicts conflicting busy blocked blocker blockers blocking exceeded exceeds overlap overlaps overlapping violation violations soldout unavailable denied forbidden outofstock full frozen freeze locked expired suspended insufficient rejected duplicate overbooked holds embargo',
);
/** Names of tools that check something an act should depend on. */
export const CHECK_WORDS = list(
  'check verify validate availability available conflict free busy freebusy stock inventory balance limit quota eligibility eligible permission allowed policy budget credit overlap freeze seats vacancy vacancies capacity remaining',
);
export const CALENDAR_WORDS = list(
  'calendar event events agenda schedule appointment appointments meeting meetings busy freebusy',
);
export const PERSON_WORDS = list(
  'person people contact contacts customer customers employee employees user users colleague member members staff directory attendee attendees recipient recipients assignee owner guest guests passenger passengers name names who fullname candidate candidates patient student author manager agent patron payee beneficiary driver member holder instructor teacher participant participants traveler traveller invitee invitees reporter approver tenant client clients',
);
export const PLACE_WORDS = list(
  'city country location place address origin destination town area region venue where station state locality municipality',
);
export const FROM_WORDS = list('from origin source start departure depart begin home base');
export const TO_WORDS = list('to destination target end arrival arrive recipient into dest');
