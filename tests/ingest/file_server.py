"""A file server that can be told to misbehave."""

import contextlib
import http.server
import threading


class FileServer:
    """Serves files with ranges and ETags.

    Attributes:
        url: where.
        files: content by path.
        asked: every request as (method, path, headers).
        plan: faults for the coming requests, one each: an int is a status to answer, ("cut", n) closes the connection
            after n bytes, ("stall", n) sends nothing more after n bytes, ("announce", n) lies about the length, a
            callable answers in its own way, None behaves well.
        etags: whether the server says which version it has.
        ranges: whether it can begin anywhere.
    """

    def __init__(self):
        self.files, self.asked, self.plan, self.etags, self.ranges = {}, [], [], True, True
        self.go_on = threading.Event()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                owner.answer(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client that goes away is what some tests want
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self):
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request):
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length)
        self.asked.append((request.command, request.path, dict(request.headers) | {"body": body}))
        fault = self.plan.pop(0) if self.plan else None
        if callable(fault):
            fault(request)
        elif isinstance(fault, int):
            send(request, fault, b"no")
        elif request.path.partition("?")[0] not in self.files:
            send(request, 404, b"nothing here")
        else:
            self._send_file(request, self.files[request.path.partition("?")[0]], *(fault or ("", 0)))

    def _send_file(self, request, content, fault, count):
        etag = f'"{hash(content)}"' if self.etags else ""
        given = request.headers
        if etag and given.get("If-None-Match") == etag:
            return send(request, 304, b"")
        start = 0
        status, headers = 200, {"ETag": etag} if etag else {}
        if self.ranges and given.get("Range") and given.get("If-Range", etag) == etag:
            start = int(given["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                return send(request, 416, b"")
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        announced = len(body) + (count if fault == "announce" else 0)
        request.send_response(status)
        for name, value in (headers | {"Content-Length": str(announced)}).items():
            request.send_header(name, value)
        request.end_headers()
        with contextlib.suppress(OSError):
            request.wfile.write(body[:count] if fault in ("cut", "stall") else body)
            request.wfile.flush()
        if fault == "stall":
            self.go_on.wait(20)
        if fault in ("cut", "stall", "announce"):
            request.close_connection = True
        return None


def send(request, status, body, **headers):
    """Answers a request with so much and no more."""
    request.send_response(status)
    for name, value in (headers | {"Content-Length": str(len(body))}).items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)
