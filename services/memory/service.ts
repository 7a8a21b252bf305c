/** The memory service: conversations, and the projection of the log into runs that can be asked for. */
import { STREAMS } from '@tutti/contracts';
import { defineService } from '@tutti/runtime';
import { MemoryConfig } from './config.ts';
import { createGroupCommit } from './group-commit.ts';
import { createHandlers } from './handlers.ts';
import { followLog } from './log-follower.ts';
import { openStore } from './open-store.ts';
import type { TenantTurn } from './ports/store.ts';
import { createProjector } from './projector.ts';

export const memoryService = defineService({
  name: 'memory',
  config: MemoryConfig,
  async start({ config, bus, log, dataDir }) {
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
    const projector = createProjector({ stream: STREAMS.log.name, store, bus, log, limits });
    const follower = await followLog({ bus, store, projector, log }).catch(async (error) => {
      await store.close();
      throw error;
    });
    let caughtUp = false;
    void follower.caughtUp.then(() => {
      caughtUp = true;
    });
    return {
      handlers: createHandlers({ store, turns, config, payloadBytesMax: () => bus.payloadBytesMax }),
      ready: () => caughtUp && projector.healthy,
      // What waits in the buffer is in the log: the next start projects it.
      async drain() {
        follower.stop();
        await projector.stop();
      },
      async stop() {
        await turns.idle();
        await store.close();
      },
    };
  },
});
