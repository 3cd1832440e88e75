"""Makes calls with grpcio: `grpcio_client.py sync CERT` or `grpcio_client.py aio CERT`.

It encodes no messages: all of them are empty, or of no interest. The cases are explained in case.ts.
"""

import asyncio
import json
import sys
import threading
import time

import grpc
import grpc.aio

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.ssl_target_name_override", "localhost"),
)


def read_cases():
    """Reads up to the empty line that ends the cases."""
    return [json.loads(line) for line in iter(lambda: sys.stdin.readline().strip(), "")]


def wait_for_start():
    """Calls begin when the standard input ends."""
    print("ready", flush=True)
    sys.stdin.read()


def outcome(case, code, begin, start, message=""):
    end = time.monotonic()
    line = {"id": case["id"], "code": code, "ms": (end - start) * 1000}
    line["lateMs"] = (start - begin) * 1000 - case["startMs"]
    if message:
        line["message"] = message
    # One write for each line: threads share the output.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def open_channel(module, case, certificate):
    if not case["tls"]:
        return module.insecure_channel(case["target"], options=OPTIONS)
    secrets = grpc.ssl_channel_credentials(root_certificates=certificate)
    return module.secure_channel(case["target"], secrets, options=OPTIONS)


def warm_up_cases(cases):
    warm = {case["target"]: case for case in cases if not case["cold"]}
    for case in warm.values():
        yield {
            **case,
            "kind": "unary",
            "path": "/example.account.v1.AccountService/ChangePassword",
            "deadlineMs": 10_000,
            "cancelAfterMs": 0,
            "headers": {"x-case-handler": "answer"},
        }


def seconds(case, name):
    return case.get(name, 0) / 1000 or None


def metadata(case):
    return tuple(case["headers"].items())


def code_of(error):
    return error.code().value[0]


# Over threads, with the calls that give futures.


def call_sync(channel, case):
    kind = case["kind"]
    given = {"timeout": seconds(case, "deadlineMs"), "metadata": metadata(case)}
    # Leaves the stream of requests open until the call is over.
    over = threading.Event()

    def requests():
        yield b""
        if case["how"] == "keep-sending":
            over.wait(100)

    if kind == "unary":
        call = channel.unary_unary(case["path"]).future(b"", **given)
    elif kind == "client_streaming":
        call = channel.stream_unary(case["path"]).future(requests(), **given)
    elif kind == "server_streaming":
        call = channel.unary_stream(case["path"])(b"", **given)
    else:
        call = channel.stream_stream(case["path"])(requests(), **given)
    timer = None
    if case.get("cancelAfterMs"):
        timer = threading.Timer(case["cancelAfterMs"] / 1000, call.cancel)
        timer.start()
    try:
        if kind in ("unary", "client_streaming"):
            call.result()
        else:
            for _ in call:
                pass
        return 0, ""
    except grpc.FutureCancelledError:
        return grpc.StatusCode.CANCELLED.value[0], "cancelled"
    except grpc.RpcError as error:
        return code_of(error), error.details()
    finally:
        over.set()
        if timer:
            timer.cancel()


def run_sync(certificate):
    cases = read_cases()
    shared = {}
    for case in warm_up_cases(cases):
        shared[case["target"]] = open_channel(grpc, case, certificate)
        code, message = call_sync(shared[case["target"]], case)
        if code:
            print("warm-up:", case["target"], code, message, file=sys.stderr)
    wait_for_start()
    begin = time.monotonic()

    def run(case):
        time.sleep(max(0, begin + case["startMs"] / 1000 - time.monotonic()))
        start = time.monotonic()
        channel = open_channel(grpc, case, certificate) if case["cold"] else shared[case["target"]]
        code, message = call_sync(channel, case)
        outcome(case, code, begin, start, message)
        if case["cold"]:
            channel.close()

    threads = [threading.Thread(target=run, args=(case,)) for case in cases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Over asyncio.


async def call_aio(channel, case):
    kind = case["kind"]
    given = {"timeout": seconds(case, "deadlineMs"), "metadata": metadata(case)}
    over = asyncio.Event()

    async def requests():
        yield b""
        if case["how"] == "keep-sending":
            await over.wait()

    if kind == "unary":
        call = channel.unary_unary(case["path"])(b"", **given)
    elif kind == "client_streaming":
        call = channel.stream_unary(case["path"])(requests(), **given)
    elif kind == "server_streaming":
        call = channel.unary_stream(case["path"])(b"", **given)
    else:
        call = channel.stream_stream(case["path"])(requests(), **given)
    timer = None
    if case.get("cancelAfterMs"):
        timer = asyncio.get_running_loop().call_later(case["cancelAfterMs"] / 1000, call.cancel)
    try:
        if kind in ("unary", "client_streaming"):
            await call
        else:
            async for _ in call:
                pass
        return 0, ""
    except asyncio.CancelledError:
        return grpc.StatusCode.CANCELLED.value[0], "cancelled"
    except grpc.RpcError as error:
        return code_of(error), error.details()
    finally:
        over.set()
        if timer:
            timer.cancel()


async def run_aio(certificate):
    cases = read_cases()
    shared = {}
    for case in warm_up_cases(cases):
        shared[case["target"]] = open_channel(grpc.aio, case, certificate)
        code, message = await call_aio(shared[case["target"]], case)
        if code:
            print("warm-up:", case["target"], code, message, file=sys.stderr)
    wait_for_start()
    begin = time.monotonic()

    async def run(case):
        await asyncio.sleep(max(0, begin + case["startMs"] / 1000 - time.monotonic()))
        start = time.monotonic()
        channel = open_channel(grpc.aio, case, certificate) if case["cold"] else shared[case["target"]]
        code, message = await call_aio(channel, case)
        outcome(case, code, begin, start, message)
        if case["cold"]:
            await channel.close()

    await asyncio.gather(*(run(case) for case in cases))
    for channel in shared.values():
        await channel.close()


if __name__ == "__main__":
    with open(sys.argv[2], "rb") as file:
        trusted = file.read()
    if sys.argv[1] == "sync":
        run_sync(trusted)
    else:
        asyncio.run(run_aio(trusted))
