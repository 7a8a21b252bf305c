/** The whole tree of the trip by its names, children in order of their names (shapeOf): what a run of it leaves, no more and no less. */
export const TRIP_SHAPE = `\
POST /v1/runs
  invoke_workflow travel
    invoke_agent travel
      approval.wait
      process tutti.svc.memory.recall
        find turns
      process tutti.svc.retriever.search
        retrieval
      process tutti.svc.router.complete
        chat offline
      process tutti.svc.router.complete
        chat offline
      process tutti.svc.router.complete
        chat offline
      process tutti.svc.tools.describe
      process tutti.svc.tools.execute
        execute_tool bookFlight
      process tutti.svc.tools.execute
        execute_tool holdFlight
    invoke_agent travel
      process tutti.svc.memory.recall
        find turns
      process tutti.svc.retriever.search
        retrieval
      process tutti.svc.router.complete
        chat offline
      process tutti.svc.router.complete
        chat offline
      process tutti.svc.tools.describe
      process tutti.svc.tools.execute
        execute_tool check_availability
    invoke_agent travel
      process tutti.svc.memory.recall
        find turns
      process tutti.svc.retriever.search
        retrieval
      process tutti.svc.router.complete
        chat offline
      process tutti.svc.router.complete
        chat offline
      process tutti.svc.tools.describe
      process tutti.svc.tools.execute
        execute_tool searchFlights
    invoke_agent travel
      process tutti.svc.memory.recall
        find turns
      process tutti.svc.retriever.search
        retrieval
      process tutti.svc.router.complete
        chat offline
      process tutti.svc.router.complete
        chat offline
      process tutti.svc.tools.describe
      process tutti.svc.tools.execute
        execute_tool searchHotels
    plan travel
      process tutti.svc.router.complete
        chat offline
    process tutti.svc.memory.recall
      find turns
    process tutti.svc.memory.remember
      upsert turns
    process tutti.svc.retriever.search
      retrieval
    process tutti.svc.router.complete
      chat offline
    process tutti.svc.tools.describe`.split('\n');
