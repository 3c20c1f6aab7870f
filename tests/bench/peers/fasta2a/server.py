"""The benchmark's task on fasta2a, with the storage and the broker in memory that it ships.

`server.py PORT`. It offers no durability: all tasks are lost with the process.

fasta2a has no blocking sends and cannot continue a task; see the README.
"""

import sys
from contextlib import asynccontextmanager

import uvicorn
from fasta2a import FastA2A, Worker
from fasta2a.broker import InMemoryBroker
from fasta2a.schema import Artifact, Message, TaskIdParams, TaskSendParams
from fasta2a.storage import InMemoryStorage


class Peer(Worker):
    """Does what the first message of a task asks for.

    A worker of fasta2a does one task after the other, and publishes the state that it finds in the
    storage when a task's run returns.
    """

    async def run_task(self, params: TaskSendParams) -> None:
        task, context = params['id'], params['context_id']
        text = params['message']['parts'][0]['text']
        match text.split(' '):
            case ['chunks', count, size]:
                await self.storage.update_task(task, 'working')
                await self.publish_status(task, context, 'working')
                artifact = await self.chunks(task, context, int(count), int(size))
                await self.storage.update_task(task, 'completed', new_artifacts=[artifact])
            case ['ask', *_]:
                question = Message(
                    role='agent', parts=[{'text': 'Which one?'}], message_id=f'{task}-question'
                )
                await self.storage.update_task(task, 'input-required', new_messages=[question])
            case _:
                artifact = Artifact(artifact_id='echo', parts=[{'text': text}])
                await self.publish_artifact(task, context, artifact)
                await self.storage.update_task(task, 'completed', new_artifacts=[artifact])

    async def chunks(self, task: str, context: str, count: int, size: int) -> Artifact:
        """Publishes the chunks, and gives the artifact that they make."""
        parts = []
        for index in range(count):
            parts.append({'text': 'x' * size})
            chunk = Artifact(artifact_id='chunks', parts=parts[-1:])
            await self.publish_artifact(
                task, context, chunk, append=index > 0, last_chunk=index + 1 == count
            )
        return Artifact(artifact_id='chunks', parts=parts)

    async def cancel_task(self, params: TaskIdParams) -> None:
        await self.storage.update_task(params['id'], 'canceled')

    def build_message_history(self, history):
        return history

    def build_artifacts(self, result):
        return result


class Server(uvicorn.Server):
    """Says when it answers."""

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        print('ready', flush=True)


def main(port: int) -> None:
    storage, broker = InMemoryStorage(), InMemoryBroker()
    worker = Peer(broker=broker, storage=storage)

    @asynccontextmanager
    async def lifespan(app: FastA2A):
        async with app.task_manager, worker.run():
            yield

    app = FastA2A(
        storage=storage, broker=broker, url=f'http://127.0.0.1:{port}/', lifespan=lifespan
    )
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
    main(int(sys.argv[1]))
