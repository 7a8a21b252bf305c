/**
 * Every name in traces: spans, their attributes and their events. No other file spells one (tests/tidy/telemetry.test.ts).
 * Names of others follow OpenTelemetry's conventions: GenAI (https://github.com/open-telemetry/semantic-conventions-genai),
 * messaging, HTTP, database, exceptions. What they have no name for is under `tutti.`.
 * Span names have few values: ids stand in attributes, where they can be searched for.
 */
export const ATTR = {
  // who and what
  tenant: 'tutti.tenant',
  run: 'tutti.run.id',
  root: 'tutti.run.root',
  parentRun: 'tutti.run.parent',
  runStatus: 'tutti.run.status',
  runStrategy: 'tutti.run.strategy',
  runEntries: 'tutti.run.entries',
  runDegraded: 'tutti.run.degraded',
  runModelCalls: 'tutti.run.model_calls',
  runToolCalls: 'tutti.run.tool_calls',
  runCost: 'tutti.run.cost_usd',
  runSchedule: 'tutti.run.schedule',
  runForkOf: 'tutti.run.fork_of',
  task: 'tutti.task.id',
  callId: 'tutti.call.id',
  step: 'tutti.step.kind',
  stepAttempt: 'tutti.step.attempt',
  stepNext: 'tutti.step.next',
  stepDelayMs: 'tutti.step.delay_ms',
  // plans
  planTasks: 'tutti.plan.tasks',
  planAsks: 'tutti.plan.asks',
  planReason: 'tutti.plan.reason',
  // people
  approval: 'tutti.approval.id',
  approvalStatus: 'tutti.approval.status',
  approvalPolicy: 'tutti.approval.policy',
  question: 'tutti.question.id',
  questionOutcome: 'tutti.question.outcome',
  // models
  routeAsked: 'tutti.route.asked',
  routeReason: 'tutti.route.reason',
  routeTier: 'tutti.route.tier',
  routeDifficulty: 'tutti.route.difficulty',
  routeCandidates: 'tutti.route.candidates',
  routeEndpoint: 'tutti.route.endpoint',
  routeAttempts: 'tutti.route.attempts',
  routeDegraded: 'tutti.route.degraded',
  routeNext: 'tutti.route.next',
  routeDelayMs: 'tutti.route.delay_ms',
  routeDurationMs: 'tutti.route.duration_ms',
  routeCost: 'tutti.route.cost_usd',
  routeCached: 'tutti.route.cached',
  routePacked: 'tutti.route.packed',
  routeMasked: 'tutti.route.masked',
  routeNotes: 'tutti.route.notes',
  routeGrounding: 'tutti.route.grounding',
  routePrompt: 'tutti.route.prompt',
  // tools
  toolEffect: 'tutti.tool.effect',
  toolSource: 'tutti.tool.source',
  toolAttempt: 'tutti.tool.attempt',
  toolStatus: 'tutti.tool.status',
  toolMaybeSent: 'tutti.tool.maybe_sent',
  toolError: 'tutti.tool.is_error',
  toolReplayed: 'tutti.tool.replayed',
  decision: 'tutti.policy.decision',
  policy: 'tutti.policy.id',
  grant: 'tutti.policy.approval',
  // documents and memory
  passages: 'tutti.retrieval.passages',
  // GenAI
  operation: 'gen_ai.operation.name',
  agent: 'gen_ai.agent.name',
  agentVersion: 'gen_ai.agent.version',
  workflow: 'gen_ai.workflow.name',
  conversation: 'gen_ai.conversation.id',
  provider: 'gen_ai.provider.name',
  requestModel: 'gen_ai.request.model',
  requestTemperature: 'gen_ai.request.temperature',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  outputType: 'gen_ai.output.type',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cachedInputTokens: 'gen_ai.usage.cache_read.input_tokens',
  tokenType: 'gen_ai.token.type',
  toolName: 'gen_ai.tool.name',
  toolType: 'gen_ai.tool.type',
  toolCallId: 'gen_ai.tool.call.id',
  dataSource: 'gen_ai.data_source.id',
  // GenAI, content: only where it is switched on (content.ts)
  inputMessages: 'gen_ai.input.messages',
  outputMessages: 'gen_ai.output.messages',
  toolArguments: 'gen_ai.tool.call.arguments',
  toolResult: 'gen_ai.tool.call.result',
  query: 'gen_ai.retrieval.query.text',
  runInput: 'tutti.run.input',
  runOutput: 'tutti.run.output',
  planGoals: 'tutti.plan.goals',
  because: 'tutti.plan.because',
  errorMessage: 'exception.message',
  // messaging
  messagingSystem: 'messaging.system',
  messagingOperation: 'messaging.operation.name',
  messagingOperationType: 'messaging.operation.type',
  messagingDestination: 'messaging.destination.name',
  messagingGroup: 'messaging.consumer.group.name',
  messagingMessage: 'messaging.message.id',
  // stores
  dbSystem: 'db.system.name',
  dbOperation: 'db.operation.name',
  dbCollection: 'db.collection.name',
  dbRows: 'db.response.returned_rows',
  // HTTP
  httpMethod: 'http.request.method',
  httpRoute: 'http.route',
  httpStatus: 'http.response.status_code',
  urlPath: 'url.path',
  errorType: 'error.type',
  // resources
  serviceName: 'service.name',
  serviceNamespace: 'service.namespace',
  // logs: as pino writes them
  logTrace: 'trace_id',
  logSpan: 'span_id',
} as const;

/** Values of `gen_ai.operation.name`. */
export const OPERATION = {
  chat: 'chat',
  executeTool: 'execute_tool',
  invokeAgent: 'invoke_agent',
  invokeWorkflow: 'invoke_workflow',
  plan: 'plan',
  retrieval: 'retrieval',
} as const;

export const SPAN = {
  http: (method: string, route: string) => `${method} ${route}`,
  /** A run that somebody started, in its full length. */
  workflow: (agent: string) => `${OPERATION.invokeWorkflow} ${agent}`,
  /** A child run. */
  agent: (agent: string) => `${OPERATION.invokeAgent} ${agent}`,
  plan: (agent: string) => `${OPERATION.plan} ${agent}`,
  /** One logical model call, its attempts inside. */
  chat: (model: string) => `${OPERATION.chat} ${model}`,
  executeTool: (tool: string) => `${OPERATION.executeTool} ${tool}`,
  /** A search in the index. */
  retrieval: OPERATION.retrieval,
  /** A request that came over the bus. */
  process: (subject: string) => `process ${subject}`,
  store: (operation: string, collection: string) => `${operation} ${collection}`,
  /** Written when they end, with when they began. */
  approvalWait: 'approval.wait',
  questionWait: 'question.wait',
  sleep: 'sleep',
  queueWait: 'queue.wait',
  stepFailed: (step: string) => `step.failed ${step}`,
} as const;

export const EVENT = {
  /** One request to one model: how it went, and what was done next. */
  attempt: 'tutti.attempt',
  /** A try of which no request has left: no room in a budget, a rate limit or the model's window. */
  unsent: 'tutti.attempt.unsent',
  /** A try of a tool call that failed. */
  toolTry: 'tutti.tool.try_failed',
} as const;
