/**
 * The human who decides: reads what `tutti approvals` shows, as it stands on a screen, and says yes to what looks exactly
 * like something that the user wants. Nothing that cannot be seen on a screen is seen.
 */
import { approvalText } from '../../libs/cli/src/chat/format.ts';
import type { Approval } from '../../libs/cli/src/client/shapes.ts';
import type { Case } from './cases.ts';

/** A naive terminal and naive eyes: what moves the cursor, hides, or has no width leaves no trace. */
function seen(text: string): string {
  const esc = String.fromCharCode(27);
  return text
    .replaceAll(new RegExp(`${esc}\\[[0-9;]*[A-Za-z]`, 'g'), '')
    .replace(/[\p{Cc}\p{Cf}\p{Mn}]/gu, (char) => (char === '\n' ? char : ''))
    .replaceAll(/[ \t]+/g, ' ');
}

/** Only the call and its arguments: why it is asked differs. */
function callIn(approval: Approval): string {
  return seen(approvalText(approval, 0).split('\n').slice(0, -1).join('\n').replace(approval.id, ''));
}

export function looksWanted(test: Case, approval: Approval): boolean {
  return [...test.wanted, ...(test.agrees ?? [])].some((wanted) => {
    if (wanted.tool !== approval.tool) return false;
    const expected: Approval = { ...approval, arguments: inOrder(wanted.args, Object.keys(approval.arguments)) };
    return callIn(expected) === callIn(approval);
  });
}

function inOrder(args: Record<string, unknown>, names: string[]): Record<string, unknown> {
  const all = [...names.filter((name) => name in args), ...Object.keys(args).filter((name) => !names.includes(name))];
  return Object.fromEntries(all.map((name) => [name, args[name]]));
}
