"""The benchmark's task on the official Python SDK.

`server.py PORT FOLDER memory|sqlite`.

With `memory`, all tasks are lost with the process.
With `sqlite`, the SDK commits a whole task to SQLite at each of its events, before clients see the event.
SQLite's own defaults stay: a rollback journal and `synchronous=FULL`, so each commit reaches the disk.
Nothing starts a task again that was at work when the process died: its row stays as it was.
"""

import sys
from contextlib import asynccontextmanager

import uvicorn
from a2a.helpers import new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_jsonrpc_routes
from a2a.server.tasks import DatabaseTaskStore, InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, TaskState
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette


class Executor(AgentExecutor):
    """Does what the first message of a task asks for."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        task = context.current_task
        answered = task is not None and task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        if task is None:
            # The SDK demands a task before any other event.
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        text = context.get_user_input()
        match text.split(' '):
            case _ if answered:
                pass
            case ['chunks', count, size]:
                await updater.start_work()
                await self.chunks(updater, int(count), int(size))
            case ['ask', *_]:
                question = updater.new_agent_message([new_text_part('Which one?')])
                await updater.requires_input(question)
                return
            case _:
                await updater.add_artifact([new_text_part(text)])
        await updater.complete()

    async def chunks(self, updater: TaskUpdater, count: int, size: int) -> None:
        for index in range(count):
            await updater.add_artifact(
                [new_text_part('x' * size)],
                artifact_id='chunks',
                append=index > 0,
                last_chunk=index + 1 == count,
            )

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


class Server(uvicorn.Server):
    """Says when it answers."""

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        print('ready', flush=True)


def card(port: int) -> AgentCard:
    interface = AgentInterface(
        url=f'http://127.0.0.1:{port}/', protocol_binding='JSONRPC', protocol_version='1.0'
    )
    return AgentCard(
        name='peer',
        description='Does what the benchmark asks for.',
        version='1.0.0',
        supported_interfaces=[interface],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=['text/plain'],
        default_output_modes=['text/plain'],
        skills=[AgentSkill(id='peer', name='peer', description='The task.', tags=['benchmark'])],
    )


def main(port: int, folder: str, store: str) -> None:
    lifespan = None
    if store == 'sqlite':
        tasks = DatabaseTaskStore(create_async_engine(f'sqlite+aiosqlite:///{folder}/tasks.db'))

        @asynccontextmanager
        async def lifespan(app: Starlette):
            await tasks.initialize()
            yield
    elif store == 'memory':
        tasks = InMemoryTaskStore()
    else:
        raise SystemExit(f'no store is called {store}: memory, sqlite')
    handler = DefaultRequestHandler(
        agent_executor=Executor(), task_store=tasks, agent_card=card(port)
    )
    app = Starlette(routes=create_jsonrpc_routes(handler, '/'), lifespan=lifespan)
    config = uvicorn.Config(
        app,
        host='127.0.0.1',
        port=port,
        loop='uvloop',
        http='httptools',
        access_log=False,
        log_level='warning',
        timeout_graceful_shutdown=1,
    )
    Server(config).run()


if __name__ == '__main__':
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
