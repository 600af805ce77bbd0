"""A process with a control socket, for tests of the command: it answers as a
test says."""

import json
import os
import socketserver
import threading


class ControlPeer:
    """Listens at `path` and answers each request with answer(request)."""

    def __init__(self, path, answer):
        self.path, self.requests = str(path), []

        def handle(handler):
            for line in handler.rfile:
                request = json.loads(line)
                self.requests.append(request)
                reply = answer(request)
                if reply is None:  # the process ends
                    return
                handler.wfile.write(json.dumps(reply).encode() + b"\n")

        handler = type("Handler", (socketserver.StreamRequestHandler,),
                       {"handle": handle})
        self.server = socketserver.ThreadingUnixStreamServer(self.path, handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.02})
        self.thread.start()

    def ops(self):
        return [request["op"] for request in self.requests]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        os.unlink(self.path)


def error(code, text):
    return {"ok": False, "code": code, "error": text}


class FakeBus:
    """What a relay with queue q at `primary` answers; its move goes through
    `states`, one a question, and stays in the last."""

    def __init__(self, states):
        self.states, self.asked, self.moved = states, 0, False
        self.binding = {"queue": "q", "broker": "primary", "generation": 1,
                        "was": [], "entity": "q"}
        self.cancelled = self.proceeded = False

    def answer(self, request):
        return getattr(self, request["op"])(request)

    def plan(self, request):
        after = dict(self.binding)
        moves = []
        if request["to"] != after["broker"]:
            to = request.get("generation", after["generation"] + 1)
            moves = [{"queue": "q", "from": after["broker"],
                      "to": request["to"], "to_generation": to,
                      "from_generation": after["generation"],
                      "notes": ["the drain of primary can't be proved"]}]
            after["was"] = after["was"] + [
                {"broker": after["broker"],
                 "generation": after["generation"]}]
            after.update(broker=request["to"], generation=to)
        self.after = after
        return {"ok": True, "moves": moves, "binding": after}

    def apply(self, request):
        reply = self.plan(request)
        self.moved, self.binding = True, self.after
        return reply

    def queue(self, _):
        return {"ok": True, "binding": self.binding}

    def moves(self, _):
        if not self.moved:
            return {"ok": True, "moves": []}
        state = self.states[min(self.asked, len(self.states) - 1)]
        self.asked += 1
        report = {"queue": "q", "from": "primary", "to": "fresh",
                  "generation": self.binding["generation"],
                  "longest_pause_ms": 12.0, "in_flight": 7, "in_doubt": 3,
                  "drained": self.asked, "late": 0, "proof": "",
                  "stages": [{"name": "preparing", "took_ms": 4.0,
                              "began": "2026-01-31T12:00:00+00:00"}],
                  "drained_all": False, "over": False}
        report.update(state)
        return {"ok": True, "moves": [report]}

    def proceed(self, _):
        self.proceeded = True
        return {"ok": True}

    def cancel(self, _):
        if self.states[min(self.asked, len(self.states)) - 1]["state"] != (
                "preparing"):
            return error("FAILED_PRECONDITION", "the queue has moved")
        self.cancelled = True
        return {"ok": True}
