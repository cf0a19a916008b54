"""A real HTTP server on loopback that speaks as much of the OpenAI interface as an endpoint needs."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Script:
    """What the server replies, one entry per request, the last one for all that follow.

    An entry is a text (an answer), a status code, bytes (sent as they are), or a float (seconds of silence).
    """

    def __init__(self, *replies):
        self.replies, self.requests, self.headers = list(replies), [], []

    def next(self):
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def serving(script):
    """Serve until the block ends; gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            script.requests.append((self.path, json.loads(body)))
            script.headers.append(dict(self.headers))
            reply = script.next()
            if isinstance(reply, float):
                time.sleep(reply)
                reply = "late"
            status = reply if isinstance(reply, int) else 200
            if isinstance(reply, str):
                reply = json.dumps({"choices": [{"message": {"content": reply}}]}).encode()
            content = reply if isinstance(reply, bytes) else b'{"error": "as scripted"}'
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except BrokenPipeError:
                pass

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
