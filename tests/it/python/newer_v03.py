"""Drives a host with a newer stock Python client that was told that the host speaks version 0.3 only.

Usage: newer_v03.py HOST_URL. Prints one line per scenario; ends with an exception if one fails.
"""

import asyncio
import sys

import httpx

from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import get_artifact_text, get_message_text, new_text_message
from a2a.types import (
    CancelTaskRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError


class Host:
    """The host under test, spoken to in 0.3 over one binding."""

    def __init__(self, url, binding):
        self.url = url
        self.binding = binding
        self.http = httpx.AsyncClient(timeout=30, trust_env=False)

    async def agent(self, name, *, streaming=False, polling=False):
        card = await A2ACardResolver(self.http, f"{self.url}/agents/{name}").get_agent_card()
        old = [i for i in card.supported_interfaces if i.protocol_version == "0.3"]
        assert {i.protocol_binding for i in old} == {"JSONRPC", "HTTP+JSON"}, old
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(i for i in old if i.protocol_binding == self.binding)
        config = ClientConfig(
            httpx_client=self.http,
            streaming=streaming,
            polling=polling,
            supported_protocol_bindings=[self.binding],
        )
        return ClientFactory(config).create(card)


def says(text, task=None):
    message = new_text_message(text, role=Role.ROLE_USER)
    if task:
        message.task_id, message.context_id = task.id, task.context_id
    return SendMessageRequest(message=message)


async def only(events):
    (event,) = [event async for event in events]
    return event


async def sending(host):
    echo = await host.agent("echo")
    task = (await only(echo.send_message(says("hello")))).task
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert get_artifact_text(task.artifacts[0]) == "hello"
    assert (await echo.get_task(GetTaskRequest(id=task.id))).artifacts == task.artifacts
    event = await only(echo.send_message(says("/reply hi")))
    assert get_message_text(event.message) == "hi"


async def streaming(host):
    countdown = await host.agent("countdown", streaming=True)
    events = [event async for event in countdown.send_message(says("3"))]
    assert events[0].HasField("task")
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def subscribing_and_canceling(host):
    polls = await host.agent("countdown", polling=True)
    task = (await only(polls.send_message(says("1000")))).task
    follows = await host.agent("countdown", streaming=True)
    events = follows.subscribe(SubscribeToTaskRequest(id=task.id))
    assert (await anext(events)).task.id == task.id
    canceled = await polls.cancel_task(CancelTaskRequest(id=task.id))
    assert canceled.status.state == TaskState.TASK_STATE_CANCELED
    rest = [event async for event in events]
    assert rest[-1].status_update.status.state == TaskState.TASK_STATE_CANCELED
    try:
        await polls.cancel_task(CancelTaskRequest(id=task.id))
        raise AssertionError("a second cancel was taken")
    except TaskNotCancelableError:
        pass


async def conversation(host):
    approval = await host.agent("approval")
    task = (await only(approval.send_message(says("Deploy")))).task
    assert task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    config = TaskPushNotificationConfig(task_id=task.id, id="c", url="http://127.0.0.1:9/none")
    assert await approval.create_task_push_notification_config(config) == config
    one = GetTaskPushNotificationConfigRequest(task_id=task.id, id="c")
    assert await approval.get_task_push_notification_config(one) == config
    task = (await only(approval.send_message(says("yes", task)))).task
    assert task.status.state == TaskState.TASK_STATE_COMPLETED


async def errors(host):
    echo = await host.agent("echo")
    try:
        await echo.get_task(GetTaskRequest(id="00000000-0000-7000-8000-000000000000"))
        raise AssertionError("a task that does not exist was found")
    except TaskNotFoundError:
        pass


async def main():
    for binding in ("JSONRPC", "HTTP+JSON"):
        host = Host(sys.argv[1], binding)
        for scenario in (sending, streaming, subscribing_and_canceling, conversation, errors):
            print(binding, scenario.__name__, flush=True)
            await scenario(host)
        await host.http.aclose()


asyncio.run(main())
