"""Tools of a process of your own, over NATS. pip install nats-py; python examples/workers/notes.py"""
import asyncio, json, os, nats

NOTES, DONE = [], {}  # DONE: what came of a call, by its key: a repeat is the same note
PARAMETERS = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
TOOLS = [{"name": "add_note", "description": "Keeps a note.", "effect": "keyed", "parameters": PARAMETERS}]

async def describe(message):
    await message.respond(json.dumps({"tools": TOOLS}).encode())

async def call(message):
    request = json.loads(message.data)
    key, text = request.get("idempotencyKey"), request["arguments"]["text"]
    if key not in DONE:
        NOTES.append(text)
        DONE[key] = {"number": len(NOTES), "text": text}
    await message.respond(json.dumps({"result": DONE[key]}).encode())

async def main():
    client = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    base = f"tutti.worker.{os.environ.get('TENANT', 'default')}.notes"
    await client.subscribe(f"{base}.describe", queue="notes", cb=describe)
    await client.subscribe(f"{base}.call", queue="notes", cb=call)
    await asyncio.Event().wait()

asyncio.run(main())
