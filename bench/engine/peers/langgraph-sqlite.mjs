/**
 * The job as a LangGraph.js graph, every step in its SQLite saver before the next one (durability "sync"). The saver's
 * own driver would have to be compiled; it gets Node's SQLite in the driver's shape instead, with WAL and no fsync for
 * a commit (`synchronous = OFF`), which is in its favour.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Annotation, END, START, StateGraph } from '@langchain/langgraph';
import { SqliteSaver } from '@langchain/langgraph-checkpoint-sqlite';
import { ANSWER, calculate, check, EXPRESSION, GOAL, gather, INSTRUCTIONS, remember, serve } from './load.mjs';

/** The driver takes undefined for NULL. */
function inDriversShape(statement) {
  const plain = (args) => args.map((value) => value ?? null);
  return {
    run: (...args) => statement.run(...plain(args)),
    get: (...args) => statement.get(...plain(args)),
    all: (...args) => statement.all(...plain(args)),
  };
}

/** As much of the driver as the saver uses. Statements are kept: the driver is expected to be quick at that. */
function openDatabase(path) {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
  const statements = new Map();
  const prepare = (sql) => {
    let statement = statements.get(sql);
    if (!statement) {
      statement = inDriversShape(database.prepare(sql));
      statements.set(sql, statement);
    }
    return statement;
  };
  return {
    prepare,
    exec: (sql) => database.exec(sql),
    pragma: (text) => database.exec(`PRAGMA ${text}`),
    transaction:
      (work) =>
      (...args) => {
        database.exec('BEGIN');
        try {
          const result = work(...args);
          database.exec('COMMIT');
          return result;
        } catch (error) {
          database.exec('ROLLBACK');
          throw error;
        }
      },
  };
}

const State = Annotation.Root({
  goal: Annotation(),
  passages: Annotation(),
  messages: Annotation({ reducer: (left, right) => left.concat(right), default: () => [] }),
  answer: Annotation(),
});

async function model({ messages }) {
  const called = messages.some((message) => message.role === 'tool');
  return called
    ? { messages: [{ role: 'assistant', content: ANSWER }], answer: ANSWER }
    : {
        messages: [{ role: 'assistant', content: null, calls: [{ id: 'sum', arguments: { expression: EXPRESSION } }] }],
      };
}

const graph = new StateGraph(State)
  .addNode('gather', async ({ goal }) => {
    const { passages } = await gather();
    const text = `${goal}\n\n${passages.join('\n')}`;
    return {
      passages,
      messages: [
        { role: 'system', content: INSTRUCTIONS },
        { role: 'user', content: text },
      ],
    };
  })
  .addNode('model', model)
  .addNode('tool', async ({ messages }) => {
    const [call] = messages.at(-1).calls;
    return { messages: [{ role: 'tool', id: call.id, content: await calculate(call.arguments.expression) }] };
  })
  .addNode('remember', async ({ goal, answer }) => {
    await remember({ input: goal, output: answer });
    return {};
  })
  .addEdge(START, 'gather')
  .addEdge('gather', 'model')
  .addConditionalEdges('model', ({ answer }) => (answer ? 'remember' : 'tool'))
  .addEdge('tool', 'model')
  .addEdge('remember', END)
  .compile({ checkpointer: new SqliteSaver(openDatabase(join(process.env.TUTTI_BENCH_DATA, 'runs.sqlite'))) });

let next = 0;
serve(async () => {
  const config = { configurable: { thread_id: `thread-${next++}` }, durability: 'sync' };
  const { answer } = await graph.invoke({ goal: GOAL }, config);
  check(answer);
});
