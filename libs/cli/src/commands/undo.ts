/** `tutti undo RUN`: what a run that ended early has left behind, and undoing it. */
import { z } from 'zod';
import { safe, shortArguments } from '../chat/format.ts';
import { createApi } from '../client/api.ts';
import { UndoOffer } from '../client/shapes.ts';
import { EXIT } from '../report.ts';
import { dim, green, yellow } from '../style.ts';

const Offers = z.object({ id: z.string(), status: z.string(), undo: z.array(UndoOffer).default([]) });
export interface UndoOptions {
  url?: string;
  yes?: boolean;
  call?: string[];
}

export async function undoCommand(id: string, options: UndoOptions): Promise<number> {
  const api = createApi(options.url);
  const run = Offers.parse(await api.get(`/v1/runs/${encodeURIComponent(id)}`));
  for (const offer of run.undo) console.log(offerText(offer));
  if (run.undo.length === 0) console.log(dim(`${run.id} is ${run.status}, and has left nothing that can be undone`));
  if (run.undo.length === 0 || !(options.yes || options.call)) {
    if (run.undo.length > 0) console.log(dim(`undo all that is certain: npx tutti undo ${run.id} --yes`));
    return EXIT.ok;
  }
  const body = options.call ? { calls: options.call } : {};
  const started = await api.send<{ id: string }>('POST', `/v1/runs/${encodeURIComponent(id)}/undo`, body);
  console.log(green(`being undone by ${started.id}`));
  console.log(dim(`see what comes of it: npx tutti runs ${started.id}`));
  return EXIT.ok;
}

export function offerText({ callId, tool, undo, arguments: args, uncertain }: UndoOffer): string {
  const how = args ? `${safe(undo)}(${shortArguments(args)})` : `${safe(undo)}, by hand`;
  return `${yellow('↶')} ${safe(tool)}${uncertain ? ' (it is not known whether it happened)' : ''}: ${how} ${dim(callId)}`;
}
