/** The memory service: conversations, and the projection of the log into runs that can be asked for. */
import { logStreams, TuttiError } from '@tutti/contracts';
import { createPolicyEngines } from '@tutti/policy';
import { defineService, METRIC, readSettings } from '@tutti/runtime';
import { MemoryConfig } from './config.ts';
import { createGroupCommit } from './group-commit.ts';
import { createHandlers } from './handlers.ts';
import { followLog, type LogFollower } from './log-follower.ts';
import { openStore } from './open-store.ts';
import type { TenantTurn } from './ports/store.ts';
import { tellPositions } from './positions.ts';
import { createProjector, type Projector } from './projector.ts';
import { pruneEvery } from './prune.ts';
import { traceStore } from './tracing.ts';

export const memoryService = defineService({
  name: 'memory',
  config: MemoryConfig,
  async start({ config, bus, bundles, log, dataDir, clock, telemetry, metrics }) {
    const store = await openStore(config, dataDir, log);
    const turns = createGroupCommit<TenantTurn>((items) => store.remember(items), {
      itemsMax: config.TUTTI_MEMORY_GROUP_MESSAGES_MAX,
      waitingMax: config.TUTTI_MEMORY_TURNS_WAITING_MAX,
    });
    const limits = {
      groupMessagesMax: config.TUTTI_MEMORY_GROUP_MESSAGES_MAX,
      groupEntriesMax: config.TUTTI_MEMORY_GROUP_ENTRIES_MAX,
      bufferMessagesMax: config.TUTTI_MEMORY_BUFFER_MESSAGES_MAX,
      runsCachedMax: config.TUTTI_MEMORY_RUNS_CACHED_MAX,
    };
    const buried = metrics.counter(METRIC.deadLetters).of('record');
    const followed: { stream: string; projector: Projector; follower: LogFollower }[] = [];
    let positions: { stop(): void } | undefined;
    let pruning: { stop(): void } | undefined;
    try {
      const settings = await readSettings(bus);
      if (!settings) throw new TuttiError('unavailable', 'the bus is not provisioned: start with TUTTI_PROVISION=true');
      for (const stream of logStreams(settings.logStreams, settings.partitions)) {
        const projector = createProjector({ stream: stream.name, store, bus, log, limits, buried });
        const follower = await followLog({ bus, stream, store, projector, log });
        followed.push({ stream: stream.name, projector, follower });
      }
      positions = tellPositions({
        bus,
        log,
        ...settings,
        settle: () => store.settle(),
        position: (name) => followed.find(({ stream }) => stream === name)?.projector.position?.sequence ?? null,
      });
      pruning = pruneEvery({
        store,
        clock,
        log,
        metrics,
        keepMs: config.TUTTI_MEMORY_RUNS_KEEP_MS,
        keepBytes: config.TUTTI_MEMORY_KEEP_BYTES,
        everyMs: config.TUTTI_MEMORY_PRUNE_MS,
      });
    } catch (error) {
      for (const { follower } of followed) follower.stop();
      await Promise.all(followed.map(({ projector }) => projector.stop()));
      await store.close();
      throw error;
    }
    let caughtUp = false;
    void Promise.all(followed.map(({ follower }) => follower.caughtUp)).then(() => {
      caughtUp = true;
    });
    return {
      handlers: createHandlers({
        store,
        turns,
        config,
        payloadBytesMax: () => bus.payloadBytesMax,
        traced: traceStore(telemetry, config.MONGODB_URL ? 'mongodb' : 'sqlite'),
        bundle: (hash) => bundles.get(hash),
        policies: createPolicyEngines(),
      }),
      ready: () => caughtUp && followed.every(({ projector }) => projector.healthy),
      // What waits in the buffer is in the log: the next start projects it.
      async drain() {
        positions?.stop();
        pruning?.stop();
        for (const { follower } of followed) follower.stop();
        await Promise.all(followed.map(({ projector }) => projector.stop()));
      },
      async stop() {
        await turns.idle();
        await store.close();
      },
    };
  },
});
