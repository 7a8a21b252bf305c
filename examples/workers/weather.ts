/** Tools of a process of your own, over NATS: node examples/workers/weather.ts */
import { connect } from 'nats';

const nats = await connect({ servers: process.env.NATS_URL ?? 'nats://127.0.0.1:4222' });
const base = `tutti.worker.${process.env.TENANT ?? 'default'}.weather`;
const parameters = { type: 'object', required: ['city'], properties: { city: { type: 'string' } } };
const tools = [{ name: 'forecast', description: 'Tells the weather of tomorrow.', effect: 'pure', parameters }];

nats.subscribe(`${base}.describe`, {
  queue: 'weather',
  callback: (_error, message) => void message.respond(JSON.stringify({ tools })),
});
nats.subscribe(`${base}.call`, {
  queue: 'weather',
  callback: (_error, message) => {
    const { arguments: args } = message.json<{ arguments: { city: string } }>();
    message.respond(JSON.stringify({ progress: 'looking out of the window' }));
    message.respond(JSON.stringify({ result: { city: args.city, sky: 'clear', celsius: 21 } }));
  },
});
