export * from './mongo.ts';
export * from './nats.ts';
export * from './openai-server.ts';
export * from './until.ts';
