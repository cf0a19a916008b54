"""A stand-in for W&B's server on loopback: as much of its HTTP interface as a sweep, its agents and their runs use.

It was written by watching wandb 0.31 talk, not against W&B's own server: it shows that this project speaks to W&B's
client as that expects, not that W&B accepts the sweep.
"""

import itertools
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

KEY = "a" * 40


class Server:
    """What was said to it, and the points that it has left to hand out."""

    def __init__(self):
        self.config, self.points = {}, []
        self.runs, self.history, self.agents = {}, {}, 0
        self.is_away = False
        self.lock = threading.Lock()

    def answer(self, query, variables):
        if "mutation UpsertSweep" in query:
            self.config = yaml.safe_load(variables["config"])
            values = {name: own.get("values", [own.get("value")]) for name, own in self.config["parameters"].items()}
            self.points = [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]
            project = {"id": "p", "name": variables["projectName"], "entity": {"id": "e", "name": "somebody"}}
            return {"upsertSweep": {"sweep": {"name": "sweep1", "project": project}, "configValidationWarnings": []}}
        if "createAgent" in query:
            self.agents += 1
            return {"createAgent": {"agent": {"id": f"agent{self.agents}"}}}
        if "agentHeartbeat" in query:
            return {
                "agentHeartbeat": {"agent": {"id": variables["id"]}, "commands": json.dumps(self.commands(variables))}
            }
        if "upsertBucket" in query:
            name = variables["name"]
            self.runs.setdefault(name, {}).update(json.loads(variables.get("config") or "{}"))
            project = {"id": "p", "name": "ldrps", "entity": {"id": "e", "name": "somebody"}}
            bucket = {"id": name, "name": name, "displayName": name, "sweepName": "sweep1", "project": project}
            return {"upsertBucket": {"bucket": {**bucket, "config": "{}", "historyLineCount": 0}, "inserted": True}}
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": variables["run"], "uploadHeaders": [], "files": files}}
        if re.search(r"\bsweep\(", query):
            own = {"id": "x", "name": "sweep1", "config": yaml.safe_dump(self.config), "state": "RUNNING"}
            own |= {"bestLoss": None, "runs": {"edges": [], "totalCount": 0, "pageInfo": {"hasNextPage": False}}}
            return {"project": {"id": "p", "sweep": own}}
        if "viewer" in query:
            own = {"id": "u", "entity": "somebody", "username": "somebody", "email": "", "flags": "{}"}
            return {"viewer": {**own, "teams": {"edges": []}}}
        return None

    def commands(self, variables):
        if json.loads(variables["runState"]):
            return []
        with self.lock:
            if not self.points:
                return [{"type": "exit"}]
            arguments = {name: {"value": value} for name, value in self.points.pop(0).items()}
            return [{"type": "run", "run_id": f"run{len(self.points)}", "program": "ldrps", "args": arguments}]


@contextmanager
def serving():
    """Serve until the block ends; gives the server, whose ``url`` says where."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = 200, {}
            if server.is_away:
                status = 503
            elif self.path.endswith("/graphql"):
                asked = json.loads(body)
                data = server.answer(asked["query"], asked.get("variables") or {})
                content = {"errors": [{"message": "not known here"}]} if data is None else {"data": data}
            elif self.path.endswith("/file_stream"):
                run = self.path.split("/")[-2]
                told = json.loads(body).get("files") or {}
                lines = told.get("wandb-history.jsonl", {}).get("content", [])
                server.history.setdefault(run, []).extend(map(json.loads, lines))
            encoded = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        do_GET = do_POST = do_PUT = reply  # noqa: N815 (names of the library)

        def log_message(self, *_):
            pass

    class Listener(ThreadingHTTPServer):
        def handle_error(self, *_):
            """W&B's process closes connections when it ends."""

    listener = Listener(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listener.server_port}"
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
