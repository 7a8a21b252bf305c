/** Words that are in most English sentences: they cost index space and time and tell nothing. Other languages' are left to their low weight. */
export const STOP_WORDS: ReadonlySet<string> = new Set(
  `a about above after again all am an and any are as at be because been before being below between both but by can
could did do does doing down during each few for from further had has have having he her here hers herself him himself
his how i if in into is it its itself just me more most my myself no nor not now of off on once only or other our ours
ourselves out over own same she should so some such than that the their theirs them themselves then there these they
this those through to too under until up us very was we were what when where which while who whom why will with would
you your yours yourself yourselves`.split(/\s+/),
);

/** Words of any request. "May" is one of them: the month cannot be told from the verb. */
export const REQUEST_WORDS = `plan please find tell show give need want help make get let look know like search write
create prepare organize organise arrange check ask explain describe may might must shall`;
