"""Reads the card of a guarded agent with the stock Python client of version 0.3.

Usage: card_v03.py AGENT_URL TOKEN. Ends with an exception if the card does not say how to call.
"""

import asyncio
import sys

import httpx

from a2a.client import A2ACardResolver, ClientConfig, ClientFactory


async def main():
    url, token = sys.argv[1:]
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        (needed,) = card.security[0]
        scheme = card.security_schemes[needed].root
        assert (scheme.type, scheme.scheme.lower()) == ("http", "bearer"), scheme
        assert card.supports_authenticated_extended_card
        for transport in ("JSONRPC", "HTTP+JSON"):
            config = ClientConfig(httpx_client=http, supported_transports=[transport])
            extended = await ClientFactory(config).create(card).get_card()
            assert extended.security_schemes == card.security_schemes


asyncio.run(main())
