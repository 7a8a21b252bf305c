/** `tutti approvals` and `tutti approve`. */
import { TuttiError } from '@tutti/contracts';
import { z } from 'zod';
import { approvalText, safe } from '../chat/format.ts';
import { createApi } from '../client/api.ts';
import { Approval } from '../client/shapes.ts';
import { EXIT } from '../report.ts';
import { dim, green, yellow } from '../style.ts';

const Listing = z.object({ data: z.array(Approval) });

export async function approvalsCommand(options: { url?: string; all?: boolean }): Promise<number> {
  const query = options.all ? '' : '?status=pending';
  const { data } = Listing.parse(await createApi(options.url).get(`/v1/approvals${query}`));
  if (data.length === 0) console.log(dim(options.all ? 'no approvals' : 'nothing waits for an approval'));
  for (const approval of data) {
    console.log(
      approval.status === 'pending'
        ? approvalText(approval)
        : dim(`${approval.id}  ${approval.status}  ${safe(approval.tool)}`),
    );
    if (approval.status !== 'pending') continue;
    const seen = approval.approvedBy?.length ? ` --seen ${approval.argumentsHash}` : '';
    console.log(dim(`    npx tutti approve ${approval.id}${seen}\n`));
  }
  return EXIT.ok;
}

export async function approveCommand(
  id: string,
  options: { url?: string; deny?: boolean; reason?: string; arguments?: string; seen?: string },
): Promise<number> {
  const api = createApi(options.url);
  const body = {
    decision: options.deny ? 'deny' : 'approve',
    ...(options.reason ? { reason: options.reason } : {}),
    ...(options.seen === undefined ? {} : { argumentsHash: options.seen }),
    ...(options.arguments === undefined ? {} : { arguments: argumentsFrom(options.arguments) }),
  };
  const decided = Approval.parse(await api.send('POST', `/v1/approvals/${encodeURIComponent(id)}`, body));
  const call = `${safe(decided.tool)} ${JSON.stringify(decided.arguments)}`;
  if (decided.status === 'pending') {
    console.log(yellow(`your yes is in: ${decided.approvedBy?.length ?? 0} of ${decided.quorum ?? 1}: ${safe(call)}`));
    return EXIT.ok;
  }
  console.log(
    decided.status === 'approved' ? green(`approved: ${safe(call)}`) : yellow(`${decided.status}: ${safe(call)}`),
  );
  console.log(dim(`see what comes of it: npx tutti runs ${decided.run}`));
  return EXIT.ok;
}

function argumentsFrom(text: string): Record<string, unknown> {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new TuttiError('invalid_request', `--arguments is no JSON: ${(error as Error).message}`);
  }
  if (data === null || typeof data !== 'object' || Array.isArray(data))
    throw new TuttiError('invalid_request', '--arguments must be a JSON object, e.g. \'{"seats": 2}\'');
  return data as Record<string, unknown>;
}
