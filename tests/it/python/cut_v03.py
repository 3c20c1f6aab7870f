"""Follows a task with the stock Python client of version 0.3 while the host ends.

Usage: cut_v03.py AGENT_URL TRANSPORT. Prints "works" once the task does; ends with an exception if the stream
ends as if the task had.
"""

import asyncio
import sys
import uuid

import httpx
from google.protobuf.json_format import ParseError

from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.types import Message, Part, Role, TaskStatusUpdateEvent, TextPart

# Over HTTP+JSON this client has no words for an error within a stream, and fails to read it as an event.
RAISED = (A2AClientError, httpx.HTTPError, ParseError)


async def follow(client):
    said = False
    part = Part(root=TextPart(text="1000"))
    message = Message(role=Role.user, message_id=str(uuid.uuid4()), parts=[part])
    async for event in client.send_message(message):
        if not said and isinstance(event[1], TaskStatusUpdateEvent):
            said = True
            print("works", flush=True)


async def main(agent, transport):
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        card = await A2ACardResolver(http, agent).get_agent_card()
        config = ClientConfig(httpx_client=http, streaming=True, supported_transports=[transport])
        try:
            await follow(ClientFactory(config).create(card))
        except RAISED as error:
            print(f"raised {error!r}")
            return
        raise AssertionError("the stream ended as if the task had")


asyncio.run(main(*sys.argv[1:]))
