"""Follows a task with the stock Python client while the host ends.

Usage: cut.py AGENT_URL BINDING. Prints "works" once the task does; ends with an exception if the stream ends as
if the task had.
"""

import asyncio
import sys

import grpc
import httpx

from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.helpers import new_text_message
from a2a.types import Role, SendMessageRequest
from a2a.utils.errors import A2AError

RAISED = (A2AClientError, A2AError, httpx.HTTPError, grpc.aio.AioRpcError)


async def follow(client):
    said = False
    request = SendMessageRequest(message=new_text_message("1000", role=Role.ROLE_USER))
    async for event in client.send_message(request):
        if not said and event.HasField("status_update"):
            said = True
            print("works", flush=True)


async def main(agent, binding):
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        card = await A2ACardResolver(http, agent).get_agent_card()
        config = ClientConfig(
            httpx_client=http,
            streaming=True,
            supported_protocol_bindings=[binding],
            grpc_channel_factory=grpc.aio.insecure_channel,
        )
        try:
            await follow(ClientFactory(config).create(card))
        except RAISED as error:
            print(f"raised {error!r}")
            return
        raise AssertionError("the stream ended as if the task had")


asyncio.run(main(*sys.argv[1:]))
