/** The retriever: documents in, passages with citations out. */
import { join } from 'node:path';
import { createPolicyEngines } from '@tutti/policy';
import { defineService, METRIC } from '@tutti/runtime';
import { ThreadedEngine } from './adapters/threaded-engine.ts';
import { indexSettings, RetrieverConfig } from './config.ts';
import { createHandlers } from './handlers.ts';
import { Indexer } from './indexer.ts';
import { traceSearches } from './tracing.ts';

export { RetrieverConfig } from './config.ts';

export const retrieverService = defineService({
  name: 'retriever',
  config: RetrieverConfig,
  async start({ config, bus, bundles, log, dataDir, telemetry, metrics }) {
    const engine = new ThreadedEngine({
      folder: join(dataDir, 'index'),
      settings: indexSettings(config),
      callsPendingMax: config.TUTTI_RETRIEVER_CALLS_PENDING_MAX,
    });
    const indexer = new Indexer({
      bus,
      engine,
      log,
      buried: metrics.counter(METRIC.deadLetters).of('document'),
      limits: {
        batchRecordsMax: config.TUTTI_RETRIEVER_BATCH_RECORDS_MAX,
        batchBytesMax: config.TUTTI_RETRIEVER_BATCH_BYTES_MAX,
        queueBytesMax: config.TUTTI_RETRIEVER_QUEUE_BYTES_MAX,
        restartWaitMs: config.TUTTI_RETRIEVER_RESTART_WAIT_MS,
        restartWaitMaxMs: config.TUTTI_RETRIEVER_RESTART_WAIT_MAX_MS,
      },
    });
    indexer.start();
    return {
      handlers: createHandlers({
        engine,
        ready: () => indexer.ready,
        report: (error) => indexer.report(error),
        collectionsMax: config.TUTTI_RETRIEVER_SEARCH_COLLECTIONS_MAX,
        traced: traceSearches(telemetry),
        bundle: (hash) => bundles.get(hash),
        policies: createPolicyEngines(),
      }),
      ready: () => indexer.ready,
      stop: () => indexer.stop(),
    };
  },
});
