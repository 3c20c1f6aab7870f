"""A worker on what componentize-py ships: `asyncio` on its `poll_loop`, and the standard library.

It knows nothing of the host. The scenes are told in ../../guests/stock-rust/src/lib.rs.
"""

import asyncio
import json
import random
import time
import uuid
from urllib.parse import urlsplit

import poll_loop
from componentize_py_types import Err
from poll_loop import PollLoop, Sink, Stream
from wit_world import exports
from wit_world.exports.handler import Manifest, Outcome_Completed, Skill
from wit_world.imports import artifacts, monotonic_clock
from wit_world.imports.artifacts import Spec
from wit_world.imports.taskyard_worker_types import Part, PartBody_Text
from wit_world.imports.types import (
    Fields,
    Method_Get,
    Method_Post,
    OutgoingBody,
    OutgoingRequest,
    Scheme_Http,
    Scheme_Https,
)

NS_PER_MS = 1_000_000


def request(url, method, headers=()):
    parts = urlsplit(url)
    made = OutgoingRequest(Fields.from_list(list(headers)))
    made.set_method(method)
    made.set_scheme(Scheme_Https() if parts.scheme == "https" else Scheme_Http())
    made.set_authority(parts.netloc)
    made.set_path_with_query(parts.path)
    return made


async def text(response):
    stream, pieces = Stream(response.consume()), []
    while (piece := await stream.next()) is not None:
        pieces.append(piece)
    return b"".join(pieces).decode()


async def get(url):
    return await text(await poll_loop.send(request(url, Method_Get())))


async def post(url, body):
    made = request(url, Method_Post())
    sink = Sink(made.body())

    async def write():
        await sink.send(body)
        sink.close()

    response, _ = await asyncio.gather(poll_loop.send(made), write())
    return await text(response)


async def after(millis):
    pollable = monotonic_clock.subscribe_duration(millis * NS_PER_MS)
    await poll_loop.register(asyncio.get_event_loop(), pollable)


async def sequence(url):
    one = await get(f"{url}/one")
    two = await post(f"{url}/two", b"x" * 200_000)
    three = await get(f"{url}/three")
    return "\n".join([one, two, three])


async def parallel(url):
    seen = []

    async def see(number):
        seen.append(await get(f"{url}/parallel/{number}"))

    await asyncio.gather(*[see(number) for number in range(1, 5)])
    return "\n".join(seen)


async def race(url):
    order = []

    async def slow():
        order.append(await get(f"{url}/slow"))

    async def timer():
        await after(12)
        order.append("timer")

    racers = [asyncio.ensure_future(slow()), asyncio.ensure_future(timer())]
    # The loop may poll once more before it goes on here, so both can be done by then.
    await asyncio.wait(racers, return_when=asyncio.FIRST_COMPLETED)
    return order[0]


async def stream(url):
    headers = [("accept", b"text/event-stream")]
    response = await poll_loop.send(request(f"{url}/events", Method_Get(), headers))
    body, seen = Stream(response.consume()), []
    try:
        while (piece := await body.next()) is not None:
            seen.append(json.dumps(piece.decode()))
    except Err as error:
        seen.append(f"broken off: {type(error.value).__name__}")
    return "\n".join(seen)


async def sleep(_):
    began = time.monotonic()
    await after(30)
    first = time.monotonic() - began
    time.sleep(0.020)
    both = time.monotonic() - began
    return f"{int(first * 100)} {int(both * 100)}"


async def draw(_):
    order = list({"a", "b", "c", "d", "e"})
    return f"{random.random()} {uuid.uuid4()} {order} {time.time()}"


async def refused(url):
    try:
        return await get(f"{url}/refused")
    except Err as error:
        return f"error: {error.value}"


SCENES = {
    "sequence": sequence,
    "parallel": parallel,
    "race": race,
    "stream": stream,
    "sleep": sleep,
    "random": draw,
    "refused": refused,
}


async def play(scene, url):
    seen = await SCENES[scene](url)
    part = Part(PartBody_Text(seen), None, None, None)
    artifacts.put(Spec(scene, None, None, None), [part])


async def play_all(scenes, url):
    for scene in scenes:
        await play(scene, url)


class Handler(exports.Handler):
    def describe(self):
        def skill(name):
            return Skill(name, name, f"Plays the scene `{name}`.", [], [], [], [])

        skills = [skill(name) for name in [*SCENES, "tour"]]
        about = "Uses what componentize-py ships."
        return Manifest("stock-python", "0.1.0", about, skills, [], [])

    def run(self, input, state):
        scene, _, url = input.parts[0].body.value.partition(" ")
        loop = PollLoop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(play_all(SCENES if scene == "tour" else [scene], url))
        return Outcome_Completed([])
