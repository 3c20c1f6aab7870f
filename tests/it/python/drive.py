"""Drives a host with the stock Python client, as somebody would who never heard of it.

Usage: drive.py HOST_URL WEBHOOK_URL BINDING. Prints one line per scenario; ends with an exception if one fails.
"""

import asyncio
import sys

import grpc
import httpx

from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import get_artifact_text, get_message_text, new_text_message
from a2a.types import (
    CancelTaskRequest,
    DeleteTaskPushNotificationConfigRequest,
    GetTaskPushNotificationConfigRequest,
    GetTaskRequest,
    ListTaskPushNotificationConfigsRequest,
    ListTasksRequest,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError

TERMINAL = {
    TaskState.TASK_STATE_COMPLETED,
    TaskState.TASK_STATE_FAILED,
    TaskState.TASK_STATE_CANCELED,
    TaskState.TASK_STATE_REJECTED,
}


class Host:
    """The host under test."""

    def __init__(self, url, webhook, binding):
        self.url = url
        self.webhook = webhook
        self.binding = binding
        self.http = httpx.AsyncClient(timeout=30, trust_env=False)

    async def agent(self, name, *, streaming=False, polling=False, http=None):
        """A client for an agent, found by its card."""
        card = await A2ACardResolver(self.http, f"{self.url}/agents/{name}").get_agent_card()
        assert card.name == name
        assert self.binding in [one.protocol_binding for one in card.supported_interfaces]
        config = ClientConfig(
            httpx_client=http or self.http,
            streaming=streaming,
            polling=polling,
            supported_protocol_bindings=[self.binding],
            grpc_channel_factory=grpc.aio.insecure_channel,
        )
        return ClientFactory(config).create(card)


def says(text, task=None):
    """A request that says something, to a new task or to this one."""
    message = new_text_message(text, role=Role.ROLE_USER)
    if task:
        # The client looks its tasks up by both.
        message.task_id, message.context_id = task.id, task.context_id
    return SendMessageRequest(message=message)


async def only(events):
    """The only event of a call that does not stream."""
    (event,) = [event async for event in events]
    return event


async def discovery(host):
    card = await A2ACardResolver(host.http, f"{host.url}/agents/csv-report").get_agent_card()
    assert card.capabilities.streaming and card.capabilities.push_notifications
    assert card.supported_interfaces[0].url == f"{host.url}/agents/csv-report"
    assert card.skills[0].input_modes == ["text/csv"]


async def send_and_get(host):
    echo = await host.agent("echo")
    task = (await only(echo.send_message(says("hello")))).task
    assert task.status.state == TaskState.TASK_STATE_COMPLETED
    assert get_artifact_text(task.artifacts[0]) == "hello"
    assert await echo.get_task(GetTaskRequest(id=task.id)) == task
    short = await echo.get_task(GetTaskRequest(id=task.id, history_length=0))
    assert not short.history


async def direct_reply(host):
    echo = await host.agent("echo")
    event = await only(echo.send_message(says("/reply hi")))
    assert get_message_text(event.message) == "hi"


async def streaming(host):
    countdown = await host.agent("countdown", streaming=True)
    events = [event async for event in countdown.send_message(says("3"))]
    assert events[0].HasField("task")
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
    chunks = [event.artifact_update for event in events if event.HasField("artifact_update")]
    assert [get_artifact_text(chunk.artifact) for chunk in chunks] == ["Lift-off!"]


async def silence(host):
    """A worker may be silent for longer than the client waits for a sign of life."""
    async with httpx.AsyncClient(timeout=4, trust_env=False) as impatient:
        reminder = await host.agent("reminder", streaming=True, http=impatient)
        events = [event async for event in reminder.send_message(says("in 5 s: tea"))]
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def polling_and_subscribing(host):
    polls = await host.agent("countdown", polling=True)
    task = (await only(polls.send_message(says("10")))).task
    assert task.status.state not in TERMINAL
    follows = await host.agent("countdown", streaming=True)
    events = [event async for event in follows.subscribe(SubscribeToTaskRequest(id=task.id))]
    assert events[0].task.id == task.id
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def listing(host):
    echo = await host.agent("echo")
    first = (await only(echo.send_message(says("1")))).task
    follow_up = says("2")
    follow_up.message.context_id = first.context_id
    second = (await only(echo.send_message(follow_up))).task
    query = ListTasksRequest(context_id=first.context_id, page_size=1)
    page = await echo.list_tasks(query)
    assert (page.total_size, page.page_size) == (2, 1) and page.next_page_token
    query.page_token = page.next_page_token
    rest = await echo.list_tasks(query)
    assert not rest.next_page_token
    assert [page.tasks[0].id, rest.tasks[0].id] == [second.id, first.id]


async def canceling(host):
    countdown = await host.agent("countdown", polling=True)
    task = (await only(countdown.send_message(says("1000")))).task
    canceled = await countdown.cancel_task(CancelTaskRequest(id=task.id))
    assert canceled.status.state == TaskState.TASK_STATE_CANCELED
    try:
        await countdown.cancel_task(CancelTaskRequest(id=task.id))
        raise AssertionError("a second cancel was taken")
    except TaskNotCancelableError:
        pass


async def conversation(host):
    for streams in (False, True):
        approval = await host.agent("approval", streaming=streams)
        first = [event async for event in approval.send_message(says("Deploy"))]
        task = await approval.get_task(GetTaskRequest(id=first[0].task.id))
        assert task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        [event async for event in approval.send_message(says("hm", task))]
        [event async for event in approval.send_message(says("yes", task))]
        task = await approval.get_task(GetTaskRequest(id=task.id))
        assert task.status.state == TaskState.TASK_STATE_COMPLETED
        assert get_artifact_text(task.artifacts[0]).startswith("Approved: Deploy\n")


async def push_notifications(host):
    approval = await host.agent("approval")
    request = says("Deploy")
    inline = TaskPushNotificationConfig(id="inline", url=f"{host.webhook}/inline", token="t")
    request.configuration.task_push_notification_config.CopyFrom(inline)
    task = (await only(approval.send_message(request))).task

    config = TaskPushNotificationConfig(task_id=task.id, id="later", url=f"{host.webhook}/later")
    made = await approval.create_task_push_notification_config(config)
    # The client adds what its interface has as a tenant; the host keeps what the configuration is.
    config.ClearField("tenant")
    assert made == config
    one = GetTaskPushNotificationConfigRequest(task_id=task.id, id="later")
    assert await approval.get_task_push_notification_config(one) == config
    every = ListTaskPushNotificationConfigsRequest(task_id=task.id)
    configs = (await approval.list_task_push_notification_configs(every)).configs
    assert [config.id for config in configs] == ["inline", "later"]
    gone = DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="later")
    await approval.delete_task_push_notification_config(gone)
    configs = (await approval.list_task_push_notification_configs(every)).configs
    assert [config.id for config in configs] == ["inline"]

    await only(approval.send_message(says("yes", task)))


async def errors(host):
    echo = await host.agent("echo")
    try:
        await echo.get_task(GetTaskRequest(id="00000000-0000-7000-8000-000000000000"))
        raise AssertionError("a task that does not exist was found")
    except TaskNotFoundError:
        pass


SCENARIOS = [
    discovery,
    send_and_get,
    direct_reply,
    streaming,
    silence,
    polling_and_subscribing,
    listing,
    canceling,
    conversation,
    push_notifications,
    errors,
]


async def main():
    host = Host(*sys.argv[1:])
    for scenario in SCENARIOS:
        print(scenario.__name__, flush=True)
        await scenario(host)
    await host.http.aclose()


asyncio.run(main())
