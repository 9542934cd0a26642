"""Runs Crossplane's composition function, and puts to it what comes on stdin, over gRPC.

This runs in the function's own environment. A line is a RunFunctionRequest in JSON, and so is what
is answered: a RunFunctionResponse.
"""

import socket
import subprocess
import sys
from pathlib import Path

import grpc
from crossplane.function.proto.v1 import run_function_pb2, run_function_pb2_grpc
from google.protobuf import json_format

_SECONDS = 60


def main() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    function = Path(sys.executable).with_name("function-pythonic")
    server = subprocess.Popen([function, "--insecure", "--address", address], stdout=sys.stderr)
    try:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(timeout=_SECONDS)
            answer(run_function_pb2_grpc.FunctionRunnerServiceStub(channel))
    finally:
        server.kill()
        server.wait()


def answer(function: run_function_pb2_grpc.FunctionRunnerServiceStub) -> None:
    for line in sys.stdin:
        request = json_format.Parse(line, run_function_pb2.RunFunctionRequest())
        response = function.RunFunction(request, timeout=_SECONDS)
        said = json_format.MessageToJson(response, indent=None, preserving_proto_field_name=True)
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
