"""Verifies an agent card with the stock Python client and the keys that the host publishes.

Usage: card.py AGENT_URL. Prints the names of the keys that signed; ends with an exception if a signature is
not right, or if a changed card still passes.
"""

import asyncio
import base64
import json
import sys

import httpx
import jwt

from a2a.client import A2ACardResolver
from a2a.types import AgentCard
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier

ALGORITHMS = ["EdDSA", "ES256"]


def header(signature):
    """The protected header of a signature."""
    text = signature.protected + "=" * (-len(signature.protected) % 4)
    return json.loads(base64.urlsafe_b64decode(text))


def only(card, signature):
    """The same card with this signature alone."""
    alone = AgentCard()
    alone.CopyFrom(card)
    del alone.signatures[:]
    alone.signatures.append(signature)
    return alone


def is_right(verify, card):
    try:
        verify(card)
    except InvalidSignaturesError:
        return False
    return True


async def main(agent):
    host, _, _ = agent.partition("/agents/")
    jwks = f"{host}/.well-known/jwks.json"
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        keys = jwt.PyJWKSet.from_dict((await http.get(jwks)).json())
        asked = []

        def key(kid, jku):
            asked.append((kid, jku))
            return keys[kid]

        verify = create_signature_verifier(key, ALGORITHMS)
        resolver = A2ACardResolver(http, agent)
        card = await resolver.get_agent_card(signature_verifier=verify)
        assert asked and all(jku == jwks for _, jku in asked), asked

        # Each key has signed what this client reads, and no key anything else.
        good = {header(one)["kid"] for one in card.signatures if is_right(verify, only(card, one))}
        assert good == {one.key_id for one in keys.keys}, good
        assert all(header(one)["typ"] == "JOSE" for one in card.signatures)
        changed = AgentCard()
        changed.CopyFrom(card)
        changed.supported_interfaces[0].url = "https://elsewhere.example"
        assert not is_right(verify, changed)
        print("\n".join(sorted(good)))


asyncio.run(main(*sys.argv[1:]))
