"""Reads every address in an agent's card as the strictest clients do, and the card as the stock client does.

Usage: addresses.py AGENT_URL. Runs with the stock Python client of 1.0 and with that of 0.3; ends with an
exception if an address is not where the agent is.
"""

import asyncio
import sys
from urllib.parse import urlsplit

import httpx
from pydantic import AnyUrl, HttpUrl, TypeAdapter

from a2a.client import A2ACardResolver


def addresses(card):
    """All addresses, in the members of both versions."""
    entries = card["supportedInterfaces"] + card["additionalInterfaces"]
    return [card["url"], *(entry["url"] for entry in entries)]


async def main(agent):
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        card = (await http.get(agent)).raise_for_status().json()
        for address in addresses(card):
            assert address == agent, address
            for strict in (AnyUrl, HttpUrl):
                TypeAdapter(strict).validate_python(address)
            parts = urlsplit(address)
            assert parts.scheme in ("http", "https") and parts.hostname and parts.port, parts
        assert (await A2ACardResolver(http, agent).get_agent_card()).name == card["name"]


asyncio.run(main(*sys.argv[1:]))
