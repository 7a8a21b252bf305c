/**
 * Which verbs mean the same act. A class alone is too coarse to act upon: stopping is no starting and archiving no
 * deleting, though both pairs are of one class. Owns the groups, the generic verbs and the particles ("turn off").
 */
import type { VerbClass } from './lexicon.ts';
import { splitIdentifier, stem, wordsOf } from './words.ts';

/** Verbs within a line may stand for each other; a verb may be in several lines. */
const SAME_ACT = `book reserve schedule arrange
buy purchase order checkout get
hire rent lease
create add make open new register insert file raise log generate put submit request take apply place enter
book make reserve create take place request
order reorder restock replenish create
enrol enroll register join subscribe
send mail message notify text forward post deliver write tell
send ship dispatch
send share forward
publish post announce broadcast release
write post comment note record append add log
remind schedule create add set
schedule arrange create add
move reschedule postpone delay shift push
move transfer shift
scale resize
assign reassign set
extend renew prolong
increase raise bump
decrease lower reduce
rename change
switch toggle turn
promote upgrade
cancel terminate withdraw revoke void drop undo end
delete remove destroy purge drop discard erase uninstall clear
cancel delete remove
close end finish resolve complete
close terminate
release free
refund reimburse return
unsubscribe cancel
pay settle
transfer wire send pay
charge bill
restart reboot
deploy release rollout
run execute trigger launch start begin
stop shutdown halt terminate kill end
pause suspend hold
resume continue unpause
approve accept confirm authorize authorise allow
reject decline deny refuse
enable activate unlock
disable deactivate
unlock open
lock close
upload import attach
confirm finalize finalise complete
complete finish mark tick
save store put add remember
invite add send
claim redeem
store put write upload
hold reserve
escalate raise
acknowledge confirm mark`
  .split('\n')
  .map((line) => new Set(line.split(' ').map(stem)));

/** Verbs that say nothing of their own: what is meant stands in their object. */
const GENERIC = new Map<VerbClass, ReadonlySet<string>>([
  ['create', new Set('create add make new put insert submit request file place take post'.split(' ').map(stem))],
  ['update', new Set('update change edit modify set adjust patch put'.split(' ').map(stem))],
  ['undo', new Set('undo delete remove'.split(' ').map(stem))],
  ['send', new Set('send post'.split(' ').map(stem))],
  ['operate', new Set('execute run apply'.split(' ').map(stem))],
]);

const OPPOSITES: readonly [string, string][] = [
  ['start', 'stop'],
  ['open', 'close'],
  ['lock', 'unlock'],
  ['enable', 'disable'],
  ['activate', 'deactivate'],
  ['add', 'remove'],
  ['create', 'delete'],
  ['approve', 'reject'],
  ['accept', 'decline'],
  ['increase', 'decrease'],
  ['raise', 'lower'],
  ['block', 'unblock'],
  ['mute', 'unmute'],
  ['subscribe', 'unsubscribe'],
  ['assign', 'unassign'],
  ['pause', 'resume'],
  ['upgrade', 'downgrade'],
  ['install', 'uninstall'],
  ['archive', 'unarchive'],
  ['follow', 'unfollow'],
  ['charge', 'refund'],
  ['deposit', 'withdraw'],
  ['borrow', 'return'],
  ['import', 'export'],
  ['upload', 'download'],
  ['grant', 'revoke'],
  ['show', 'hide'],
  ['connect', 'disconnect'],
  ['link', 'unlink'],
  ['load', 'unload'],
  ['book', 'cancel'],
  ['order', 'cancel'],
  ['hire', 'fire'],
  ['freeze', 'unfreeze'],
  ['ban', 'unban'],
];
const opposites = new Set(
  OPPOSITES.flatMap(([left, right]) => [`${stem(left)} ${stem(right)}`, `${stem(right)} ${stem(left)}`]),
);

const PARTICLE_PAIRS: Record<string, string> = { on: 'off', off: 'on', in: 'out', out: 'in', up: 'down', down: 'up' };
const PARTICLE_VERBS = /^(?:turn|switch|power|check|clock|log|sign|opt|scale|shut|put|move|roll|dial|ramp|lock|plug)$/;

export const areOpposite = (left: string, right: string): boolean => opposites.has(`${stem(left)} ${stem(right)}`);

/** Whether a wish by one verb may be met by a tool of the other. */
export function sameAct(wish: string, tool: string): boolean {
  const [left, right] = [stem(wish), stem(tool)];
  return left === right || SAME_ACT.some((group) => group.has(left) && group.has(right));
}

export const isGeneric = (verb: string, verbClass: VerbClass): boolean =>
  GENERIC.get(verbClass)?.has(stem(verb)) ?? false;

/** One of the two is generic, so that their objects decide. */
export const isGenericPair = (wish: string, wishClass: VerbClass, tool: string, toolClass: VerbClass): boolean =>
  wishClass === toolClass && wishClass !== 'undo' && (isGeneric(wish, wishClass) || isGeneric(tool, toolClass));

/** "turn the light off" ↔ `turn_on`: the particle behind such a verb must not be the opposite one. */
export function particlesClash(clauseText: string, verb: string, toolName: string): boolean {
  if (!PARTICLE_VERBS.test(verb)) return false;
  const parts = splitIdentifier(toolName);
  const own = parts[parts.findIndex((part) => PARTICLE_VERBS.test(part)) + 1];
  const opposite = own === undefined ? undefined : PARTICLE_PAIRS[own];
  if (!own || !opposite) return false;
  const words = wordsOf(clauseText);
  const from = words.indexOf(verb);
  const particle = words.slice(from + 1).find((word) => word === own || word === opposite);
  return from >= 0 && particle === opposite;
}
