"""Model servers of a few lines: the protocol as documented, with answers known by arithmetic.

The scores of a patch are its first number and half of it, its embedding is its last number.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as services

from listener.detection.bundle import ServedModel
from listener.engines.engine import Outputs
from tests.rigs.certificates import Certificates

MODEL = ServedModel("tones-0123456789ab", "7")
_DTYPES: dict[str, Any] = {"FP16": np.float16, "FP32": np.float32}


def answer_to(patches: NDArray[Any]) -> Outputs:
    """Scores (B, 2), embeddings (B, 1)."""
    first = patches[:, 0, 0].astype(np.float32)
    return np.stack([first, first / 2], axis=1), patches[:, -1, -1].astype(np.float32)[:, None]


@dataclass
class Behaviour:
    """How a server behaves, and what it received."""

    takes: str = "FP16"
    takes_bytes: bool = True
    versions: bool = True  # over HTTP, in the path
    answers: threading.Event = field(default_factory=threading.Event)  # it hangs until this is set
    failures: int = 0  # this many requests fail first
    received: list[str] = field(default_factory=list)  # the datatypes of the patches

    def receive(self, datatype: str) -> bool:
        """Note a request; returns whether to answer it."""
        self.received.append(datatype)
        self.answers.wait(20)
        self.failures -= 1
        return self.failures < 0


def prompt(**changes: Any) -> Behaviour:
    """A server that answers at once."""
    behaviour = Behaviour(**changes)
    behaviour.answers.set()
    return behaviour


class _Servicer(services.GRPCInferenceServiceServicer):  # type: ignore[misc]
    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour

    def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        if (request.name, request.version) != (MODEL.name, MODEL.version):
            context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.name}")
        tensor = messages.ModelMetadataResponse.TensorMetadata
        takes = tensor(name="patches", datatype=self._behaviour.takes, shape=[-1, 96, 64])
        return messages.ModelMetadataResponse(name=request.name, inputs=[takes])

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        [tensor], [content] = request.inputs, request.raw_input_contents
        if not self._behaviour.receive(tensor.datatype):
            context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
        patches = np.frombuffer(content, _DTYPES[tensor.datatype]).reshape(tuple(tensor.shape))
        response = messages.ModelInferResponse(model_name=request.model_name)
        for name, array in zip(("scores", "embeddings"), answer_to(patches), strict=True):
            response.outputs.add(name=name, datatype="FP32", shape=array.shape)
            response.raw_output_contents.append(array.tobytes())
        return response


@contextmanager
def grpc_server(behaviour: Behaviour, certificates: Certificates | None = None) -> Iterator[str]:
    """The address of a server."""
    server = grpc.server(ThreadPoolExecutor(4))
    services.add_GRPCInferenceServiceServicer_to_server(_Servicer(behaviour), server)
    if certificates is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = certificates.server_key.read_bytes(), certificates.server.read_bytes()
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        behaviour.answers.set()
        server.stop(None).wait()


class _Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        versioned = f"/v2/models/{MODEL.name}/versions/{MODEL.version}"
        if not self.behaviour.versions and self.path == versioned:
            return self._send(501, {"error": "no versions here"})
        if self.path != (versioned if self.behaviour.versions else f"/v2/models/{MODEL.name}"):
            return self._send(404, {"error": "no such model"})
        takes = {"name": "patches", "datatype": self.behaviour.takes, "shape": [-1, 96, 64]}
        return self._send(200, {"name": MODEL.name, "inputs": [takes]})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        length = int(self.headers.get("Inference-Header-Content-Length", len(body)))
        if length < len(body) and not self.behaviour.takes_bytes:
            return self._send(400, {"error": "expected JSON"})
        [tensor] = json.loads(body[:length])["inputs"]
        if not self.behaviour.receive(tensor["datatype"]):
            self.close_connection = True
            return None
        dtype = _DTYPES[tensor["datatype"]]
        if length < len(body):
            assert tensor["parameters"]["binary_data_size"] == len(body) - length
            patches = np.frombuffer(body[length:], dtype)
        else:
            patches = np.array(tensor["data"], dtype)
        return self._answer(patches.reshape(tensor["shape"]), in_bytes=length < len(body))

    def _answer(self, patches: NDArray[Any], *, in_bytes: bool) -> None:
        outputs: list[dict[str, Any]] = []
        contents: list[bytes] = []
        for name, array in zip(("scores", "embeddings"), answer_to(patches), strict=True):
            output: dict[str, Any] = {"name": name, "datatype": "FP32", "shape": array.shape}
            content = array.tobytes()
            if in_bytes:
                output["parameters"] = {"binary_data_size": len(content)}
                contents.append(content)
            else:
                output["data"] = array.ravel().tolist()
            outputs.append(output)
        self._send(200, {"outputs": outputs}, b"".join(contents))

    def _send(self, status: int, document: Any, content: bytes = b"") -> None:
        head = json.dumps(document).encode()
        self.send_response(status)
        if content:
            self.send_header("Inference-Header-Content-Length", str(len(head)))
        self.send_header("Content-Length", str(len(head) + len(content)))
        self.end_headers()
        self.wfile.write(head + content)

    def log_message(self, *_: Any) -> None:
        """No log."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """No log: clients that do not trust the certificate disconnect."""


@contextmanager
def http_server(behaviour: Behaviour, certificates: Certificates | None = None) -> Iterator[str]:
    """The url of a server."""
    handler = type("Handler", (_Handler,), {"behaviour": behaviour})
    server = _Server(("127.0.0.1", 0), handler)
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server, certificates.server_key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        scheme = "http" if certificates is None else "https"
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
    finally:
        behaviour.answers.set()
        server.shutdown()
        thread.join()
        server.server_close()
