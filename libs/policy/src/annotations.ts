/** Annotations on a policy, parsed once when it is loaded: @id, @reason, @approval, @expires, @approvers, @quorum. */
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^([1-9][0-9]{0,5})(s|m|h|d)$/;

export interface PolicyNotes {
  id: string;
  reason: string | undefined;
  needsApproval: boolean;
  expiresInMs: number | undefined;
  approvers: string[] | undefined;
  quorum: number | undefined;
}

/** Approvers that one question may need. */
export const QUORUM_MAX = 20;

/** `30s`, `15m`, `72h`, `3d` to milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  return match ? Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS] : undefined;
}

/** Throws an Error whose message says what is wrong with an annotation. */
export function parseAnnotations(annotations: Record<string, string>, fallbackId: string): PolicyNotes {
  const { approval, expires, approvers, quorum } = annotations;
  if (approval !== undefined && approval !== 'required')
    throw new Error(`@approval("${approval}") is unknown; the only value is "required"`);
  const expiresInMs = expires === undefined ? undefined : parseDuration(expires);
  if (expires !== undefined && expiresInMs === undefined)
    throw new Error(`@expires("${expires}") is not a duration such as "30m", "72h" or "3d"`);
  const names = approvers?.split(',').map((name) => name.trim());
  if (names?.some((name) => name === '')) throw new Error(`@approvers("${approvers}") has an empty name`);
  if (quorum !== undefined && !(/^[1-9]\d?$/.test(quorum) && Number(quorum) <= QUORUM_MAX))
    throw new Error(`@quorum("${quorum}") is not a whole number from 1 to ${QUORUM_MAX}`);
  return {
    id: annotations.id || fallbackId,
    reason: annotations.reason || undefined,
    needsApproval: approval === 'required',
    expiresInMs,
    approvers: names,
    quorum: quorum === undefined ? undefined : Number(quorum),
  };
}
