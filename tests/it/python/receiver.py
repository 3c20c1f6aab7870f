"""A webhook that verifies the notifications of one task, as docs/agents.md says.

Usage: receiver.py HOST_URL. Begins a task of the agent `echo`, and takes what it is told of it until it ends.
"""

import hashlib
import http.server
import json
import sys
import threading
import urllib.request

import jwt

HOST = sys.argv[1]
KEYS = jwt.PyJWKClient(f"{HOST}/.well-known/jwks.json")


def verified(headers, body, webhook):
    """What the token of a notification says; an exception if it is not right."""
    token = headers["x-taskyard-signature"]
    key = KEYS.get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key,
        algorithms=["EdDSA", "ES256"],
        issuer=HOST,
        audience=webhook,
        options={"require": ["iss", "aud", "iat", "exp", "jti"]},
    )
    if claims["request_body_sha256"] != hashlib.sha256(body).hexdigest():
        raise jwt.InvalidTokenError("the body is not the one that was signed")
    return claims


class Webhook(http.server.BaseHTTPRequestHandler):
    got = []
    ended = threading.Event()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        # The names of headers are the same in any case.
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.got.append((headers, body))
        state = json.loads(body).get("statusUpdate", {}).get("status", {}).get("state")
        if state == "TASK_STATE_COMPLETED":
            self.ended.set()

    def log_message(self, *_):
        pass


def refused(*notification):
    try:
        verified(*notification)
    except jwt.PyJWTError:
        return True
    return False


def main():
    server = http.server.HTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    send = {
        "message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]},
        "configuration": {
            "returnImmediately": True,
            "taskPushNotificationConfig": {"url": f"{url}?secret=1"},
        },
    }
    call = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": send}
    request = urllib.request.Request(
        f"{HOST}/agents/echo",
        json.dumps(call).encode(),
        {"Content-Type": "application/json", "A2A-Version": "1.0"},
    )
    task = json.load(urllib.request.urlopen(request))["result"]["task"]["id"]
    assert Webhook.ended.wait(30), "the end of the task was not told"
    for headers, body in Webhook.got:
        claims = verified(headers, body, url)
        assert claims["taskId"] == task
        assert claims["jti"] == headers["x-taskyard-delivery"]
        assert headers["authorization"] == f"Bearer {headers['x-taskyard-signature']}"
        assert refused(headers, body + b" ", url)
        assert refused(headers, body, "https://elsewhere.example/hook")
    print(len(Webhook.got))


main()
