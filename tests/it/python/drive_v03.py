"""Drives a host with the stock Python client of the protocol's version 0.3, over each of its transports.

Usage: drive_v03.py HOST_URL WEBHOOK_URL. Prints one line per scenario; ends with an exception if one fails.
"""

import asyncio
import base64
import hashlib
import sys
import uuid

import httpx

from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientHTTPError, A2AClientJSONRPCError
from a2a.types import (
    DeleteTaskPushNotificationConfigResponse,
    FilePart,
    FileWithBytes,
    GetTaskPushNotificationConfigParams,
    ListTaskPushNotificationConfigResponse,
    Message,
    Part,
    PushNotificationConfig,
    Role,
    TaskArtifactUpdateEvent,
    TaskIdParams,
    TaskPushNotificationConfig,
    TaskQueryParams,
    TaskState,
    TaskStatusUpdateEvent,
    TextPart,
    TransportProtocol,
)

TERMINAL = {TaskState.completed, TaskState.failed, TaskState.canceled, TaskState.rejected}


class Host:
    """The host under test, spoken to over one transport."""

    def __init__(self, url, webhook, transport):
        self.url = url
        self.webhook = webhook
        self.transport = transport
        self.http = httpx.AsyncClient(timeout=30, trust_env=False)

    async def card(self, name):
        return await A2ACardResolver(self.http, f"{self.url}/agents/{name}").get_agent_card()

    async def agent(self, name, *, streaming=False, polling=False, webhooks=()):
        """A client for an agent, found by its card."""
        config = ClientConfig(
            httpx_client=self.http,
            streaming=streaming,
            polling=polling,
            push_notification_configs=list(webhooks),
            supported_transports=[self.transport],
        )
        return ClientFactory(config).create(await self.card(name))

    async def call(self, agent, method, params, version="0.3"):
        """A call that the client has no method for."""
        body = {"jsonrpc": "2.0", "id": "1", "method": method, "params": params}
        headers = {"A2A-Version": version}
        url = f"{self.url}/agents/{agent}"
        return (await self.http.post(url, json=body, headers=headers)).json()


def says(*parts, task=None):
    """A message of a user, to a new task or to this one."""
    parts = [Part(root=TextPart(text=part) if isinstance(part, str) else part) for part in parts]
    message = Message(role=Role.user, message_id=str(uuid.uuid4()), parts=parts)
    if task:
        message.task_id, message.context_id = task.id, task.context_id
    return message


async def last(events):
    """What a client knows at the end of a turn."""
    event = [event async for event in events][-1]
    return event[0] if isinstance(event, tuple) else event


def text_of(parts):
    return "".join(part.root.text for part in parts if isinstance(part.root, TextPart))


async def discovery(host):
    card = await host.card("csv-report")
    assert card.protocol_version == "0.3.0" and card.preferred_transport == "JSONRPC"
    assert card.url == f"{host.url}/agents/csv-report"
    assert card.capabilities.streaming and card.capabilities.push_notifications
    assert card.skills[0].input_modes == ["text/csv"]
    assert not card.supports_authenticated_extended_card
    assert await (await host.agent("csv-report")).get_card() == card


async def send_and_get(host):
    echo = await host.agent("echo")
    task = await last(echo.send_message(says("hello")))
    assert task.status.state == TaskState.completed
    assert text_of(task.artifacts[0].parts) == "hello"
    assert await echo.get_task(TaskQueryParams(id=task.id)) == task
    short = await echo.get_task(TaskQueryParams(id=task.id, history_length=1))
    assert len(short.history) == 1


async def direct_reply(host):
    message = await last((await host.agent("echo")).send_message(says("/reply hi")))
    assert isinstance(message, Message) and message.role == Role.agent
    assert text_of(message.parts) == "hi"


async def files(host):
    content = base64.b64encode(b"name,size\na,1\n").decode()
    file = FilePart(file=FileWithBytes(bytes=content, mime_type="text/csv", name="a.csv"))
    task = await last((await host.agent("csv-report")).send_message(says(file)))
    assert task.status.state == TaskState.completed, task.status
    assert task.history[0].parts[0].root.file == file.file

    # The digits of a digest are base64 as well.
    digest = base64.b64encode(hashlib.sha256(content.encode()).hexdigest().encode()).decode()
    file = FilePart(file=FileWithBytes(bytes=digest, mime_type="application/octet-stream"))
    task = await last((await host.agent("echo")).send_message(says(file)))
    assert task.artifacts[0].parts[0].root.file.bytes == digest
    seen = await host.call("echo", "GetTask", {"id": task.id}, version="1.0")
    assert seen["result"]["history"][0]["parts"][0]["raw"] == digest, seen


async def streaming(host):
    countdown = await host.agent("countdown", streaming=True)
    events = [event async for event in countdown.send_message(says("3"))]
    updates = [update for _, update in events[1:]]
    assert events[0][1] is None
    finals = [u.final for u in updates if isinstance(u, TaskStatusUpdateEvent)]
    assert finals[-1] and not any(finals[:-1])
    assert updates[-1].status.state == TaskState.completed
    chunks = [u for u in updates if isinstance(u, TaskArtifactUpdateEvent)]
    assert [text_of(chunk.artifact.parts) for chunk in chunks] == ["Lift-off!"]


async def polling_and_resubscribing(host):
    polls = await host.agent("countdown", polling=True)
    task = await last(polls.send_message(says("10")))
    assert task.status.state not in TERMINAL
    follows = await host.agent("countdown", streaming=True)
    events = [event async for event in follows.resubscribe(TaskIdParams(id=task.id))]
    assert events[0][0].id == task.id
    assert events[-1][0].status.state == TaskState.completed


async def canceling(host):
    countdown = await host.agent("countdown", polling=True)
    task = await last(countdown.send_message(says("1000")))
    canceled = await countdown.cancel_task(TaskIdParams(id=task.id))
    assert canceled.status.state == TaskState.canceled
    try:
        await countdown.cancel_task(TaskIdParams(id=task.id))
        raise AssertionError("a second cancel was taken")
    except A2AClientJSONRPCError as error:
        assert error.error.code == -32002
    except A2AClientHTTPError as error:
        assert error.status_code == 409


async def conversation(host):
    for streams in (False, True):
        approval = await host.agent("approval", streaming=streams)
        task = await last(approval.send_message(says("Deploy")))
        assert task.status.state == TaskState.input_required
        await last(approval.send_message(says("hm", task=task)))
        task = await last(approval.send_message(says("yes", task=task)))
        assert task.status.state == TaskState.completed
        assert text_of(task.artifacts[0].parts).startswith("Approved: Deploy\n")


async def push_notifications(host):
    path = f"{host.webhook}/{host.transport.value}".replace("+", "-")
    inline = PushNotificationConfig(id="inline", url=path, token="t")
    # This client cannot write a webhook that is given with a send over HTTP+JSON.
    approval = await host.agent("approval", webhooks=[inline])
    task = await last(approval.send_message(says("Deploy")))

    later = PushNotificationConfig(id="later", url=f"{host.webhook}/later", token="t")
    config = TaskPushNotificationConfig(task_id=task.id, push_notification_config=later)
    assert await approval.set_task_callback(config) == config
    one = GetTaskPushNotificationConfigParams(id=task.id, push_notification_config_id="later")
    assert await approval.get_task_callback(one) == config

    # The client has no methods for these two.
    method = "tasks/pushNotificationConfig"
    listed = await host.call("approval", f"{method}/list", {"id": task.id})
    configs = ListTaskPushNotificationConfigResponse.model_validate(listed).root.result
    assert [config.push_notification_config.id for config in configs] == ["inline", "later"]
    params = {"id": task.id, "pushNotificationConfigId": "later"}
    deleted = await host.call("approval", f"{method}/delete", params)
    assert DeleteTaskPushNotificationConfigResponse.model_validate(deleted).root.result is None

    await last(approval.send_message(says("yes", task=task)))


NOBODY = "00000000-0000-7000-8000-000000000000"


async def errors(host):
    echo = await host.agent("echo")
    try:
        await echo.get_task(TaskQueryParams(id=NOBODY))
        raise AssertionError("a task that does not exist was found")
    except A2AClientJSONRPCError as error:
        assert error.error.code == -32001
    except A2AClientHTTPError as error:
        assert error.status_code == 404


async def errors_of_streams(host):
    echo = await host.agent("echo", streaming=True)
    follow_up = says("x")
    follow_up.task_id = NOBODY
    for events in (echo.send_message(follow_up), echo.resubscribe(TaskIdParams(id=NOBODY))):
        try:
            await last(events)
            raise AssertionError("a task that does not exist was streamed")
        except A2AClientJSONRPCError as error:
            assert error.error.code == -32001
        except A2AClientHTTPError:
            # This client does not look at the status when it takes a stream up again.
            assert host.transport == TransportProtocol.http_json


SCENARIOS = [
    discovery,
    send_and_get,
    direct_reply,
    files,
    streaming,
    polling_and_resubscribing,
    canceling,
    conversation,
    push_notifications,
    errors,
    errors_of_streams,
]


async def main():
    for transport in (TransportProtocol.jsonrpc, TransportProtocol.http_json):
        host = Host(*sys.argv[1:], transport)
        for scenario in SCENARIOS:
            print(transport.value, scenario.__name__, flush=True)
            await scenario(host)
        await host.http.aclose()


asyncio.run(main())
