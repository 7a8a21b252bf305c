/** How far the names and descriptions that a source offers are to be trusted: models read them. Pure. */
import { type Label, RESULT_LABEL, SYSTEM_LABEL, type ToolLabels } from '@tutti/contracts';

/**
 * What stands in the bundle is the bundle's word; what a server says today is anybody's, unless the bundle vouches for
 * the source.
 */
export function descriptionLabel(isInBundle: boolean, declared: ToolLabels | undefined): Label {
  if (isInBundle) return SYSTEM_LABEL;
  return { integrity: declared?.integrity ?? RESULT_LABEL.integrity, confidentiality: [] };
}
