/** What a bundle and a source say of a tool's labels, put together: the tool's own word, then its source's in the bundle, then what the source itself brings. Pure. */
import {
  confidentialityOf,
  type Integrity,
  joinLabels,
  type Label,
  labelFrom,
  RESULT_LABEL,
  SYSTEM_LABEL,
  type ToolLabels,
} from '@tutti/contracts';

export interface ToolTrust {
  /** Of its results. */
  label: Label;
  /** Least integrity of what led to a call; undefined: what its effect kind says. */
  needs: Integrity | undefined;
  clearance: string[] | 'all' | undefined;
}

/** `declared`: the most particular first. */
export function trustOf(...declared: (ToolLabels | undefined)[]): ToolTrust {
  const first = <K extends keyof ToolLabels>(key: K): ToolLabels[K] =>
    declared.find((labels) => labels?.[key] !== undefined)?.[key];
  const clearance = first('clearance');
  return {
    label: labelFrom({ integrity: first('integrity'), confidentiality: first('confidentiality') }, RESULT_LABEL),
    needs: first('needs'),
    clearance: clearance === undefined || clearance === 'all' ? clearance : confidentialityOf(clearance),
  };
}

/**
 * Of the names and descriptions that a source offers, which models read. What stands in the bundle is the bundle's word;
 * what a server says today is anybody's, unless the bundle vouches for the source.
 */
export function descriptionLabel(isInBundle: boolean, declared: ToolLabels | undefined): Label {
  if (isInBundle) return SYSTEM_LABEL;
  return joinLabels(SYSTEM_LABEL, { integrity: declared?.integrity ?? RESULT_LABEL.integrity, confidentiality: [] });
}
