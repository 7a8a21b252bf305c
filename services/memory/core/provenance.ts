/** How a turn's label and history are stored: as one JSON text beside it. Rows from before there were any have none. */
import type { Turn } from '@tutti/contracts';

type Provenance = Pick<Turn, 'label' | 'did' | 'didBefore'>;

export function provenanceOf({ label, did, didBefore }: Turn): string | null {
  if (!label && !did && !didBefore) return null;
  return JSON.stringify({ label, did, didBefore });
}

export function fromProvenance(text: string | null): Provenance {
  return text === null ? {} : (JSON.parse(text) as Provenance);
}
