#!/usr/bin/env python3
"""Goodput of one connection under random loss: our TCP to Linux and Linux to ours, beside Linux to
Linux over the same kind of wire. Frames are lost at the same place by the same nftables rules.
"""

import multiprocessing
import os
import sys
import time

import harness

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "..", "tests", "dpdk"))
sys.dont_write_bytecode = True

import kernel_side as kernel  # noqa: E402 (needs the path above)
import wire as wires  # noqa: E402
from peer_process import PeerProcess, settings  # noqa: E402

PORT = 40000
MEGABYTE = 1_000_000
OUR_CORE, KERNEL_CORE = harness.BROKER_CORE, harness.GENERATOR_CORE
WAYS = ("linux to linux", "ours to linux", "linux to ours")
# Percent of frames lost: bytes that take some seconds.
AMOUNTS = {0.0: 400 * MEGABYTE, 0.1: 100 * MEGABYTE, 1.0: 24 * MEGABYTE, 5.0: 2 * MEGABYTE}


# ---- the other kernel ---------------------------------------------------------------------------

def run_far_kernel(pipe):
    """In a process of its own, with a network of its own, which gets our end of the wire."""
    os.sched_setaffinity(0, {OUR_CORE})
    wires.enter_own_namespace()
    pipe.send("ready")
    pipe.recv()  # the end of the wire is here
    wires.run("ip", "address", "add", "%s/24" % wires.Wire.ours[4], "dev", wires.OUR_END)
    wires.run("ip", "link", "set", wires.OUR_END, "up")
    pipe.send("ready")
    count = pipe.recv()
    sender = kernel.new_socket()
    sender.connect((wires.Wire.kernel[4], PORT))
    digest = kernel.send_stream(sender, count)
    sender.close()
    pipe.send(digest.hash)
    pipe.recv()  # until the receiver has everything


def linux_to_linux(wire, count):
    ours, theirs = multiprocessing.Pipe()
    far = multiprocessing.Process(target=run_far_kernel, args=(theirs,), daemon=True)
    far.start()
    try:
        ours.recv()
        wires.run("ip", "link", "set", wires.OUR_END, "netns", str(far.pid))
        ours.send("moved")
        ours.recv()
        with kernel.listen(wire.kernel[4], PORT) as listener:
            ours.send(count)
            seconds, digest = receive_one(listener)
        check(digest.hash == ours.recv(), "Linux to Linux")
        ours.send("done")
        far.join(10)
    finally:
        if far.is_alive():
            far.kill()
            far.join()
    return seconds


# ---- ours ---------------------------------------------------------------------------------------

def ours_to_linux(wire, count, peer):
    with kernel.listen(wire.kernel[4], PORT) as listener:
        [number] = peer.connect(wire.kernel[4], PORT, "source", count)
        seconds, digest = receive_one(listener)
    closed = peer.expect("closed", id=number)
    check(digest.hash == closed["sent_hash"] and digest.bytes == count, "ours to Linux")
    return seconds


def linux_to_ours(wire, count, peer):
    peer.listen(wire.ours[4], PORT, "sink")
    with kernel.new_socket() as sender:
        sender.connect((wire.ours[4], PORT))
        digest = kernel.send_stream(sender, count)
    closed = peer.expect("closed", timeout=300)
    check(closed["received_hash"] == digest.hash, "Linux to ours")
    return closed["receive_seconds"]


# ---- rounds -------------------------------------------------------------------------------------

def receive_one(listener):
    """Seconds from the connection's beginning to its last byte, and what came."""
    with kernel.accept(listener) as receiver:
        begun = time.monotonic()
        digest = kernel.receive_stream(receiver)
        return time.monotonic() - begun, digest


def check(holds, what):
    if not holds:
        raise harness.Failure(what + ": what arrived isn't what was sent")


def measure(way, options, loss, count):
    """Mbit/s of one transfer over a fresh wire."""
    wire = wires.Wire(options.mtu)
    peer = None
    try:
        wire.lose(loss)
        if way == "linux to linux":
            seconds = linux_to_linux(wire, count)
        else:
            idle = ["--spin"] if options.idle == "spin" else []
            peer = PeerProcess([*wire.peer_arguments(), "--congestion", options.congestion,
                                "--window-kib", str(options.window_kib), *idle])
            os.sched_setaffinity(peer.process.pid, {OUR_CORE})
            move = ours_to_linux if way == "ours to linux" else linux_to_ours
            seconds = move(wire, count, peer)
            problem = peer.stop()
            if problem:
                raise harness.Failure(problem)
        return count * 8 / 1e6 / seconds
    finally:
        if peer:
            peer.kill()
        wire.remove()


def arguments():
    parser = harness.argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack-peer", default=os.path.join(FOLDER, "..", "build", "tests", "dpdk",
                                                             "stack_peer"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loss", type=lambda text: [float(one) for one in text.split(",")],
                        default=list(AMOUNTS), metavar="PERCENT,...")
    parser.add_argument("--share", type=float, default=1.0, help="of the usual bytes a transfer")
    parser.add_argument("--congestion", choices=("cubic", "reno"), default="cubic")
    parser.add_argument("--window-kib", type=int, default=4096, help="our receive window")
    parser.add_argument("--mtu", type=int, default=1500)
    parser.add_argument("--idle", choices=("spin", "sleep"), default="spin",
                        help="what our idle stack does; spinning loses where others want its core")
    parser.add_argument("--smoke", action="store_true",
                        help="as small as it gets: only shows that this program works")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.share = 1, 0.02
    settings.executable = os.path.abspath(options.stack_peer)
    if not os.access(settings.executable, os.X_OK):
        parser.error("%s is not an executable; see --stack-peer" % settings.executable)
    return options


def main():
    options = arguments()
    wires.enter_or_skip()
    os.sched_setaffinity(0, {KERNEL_CORE})
    harness.say("One connection, MTU %d, %s; load average %.2f. Mbit/s: smallest / median / largest "
                "of %d rounds in turns.\n"
                % (options.mtu, options.congestion, os.getloadavg()[0], options.rounds))
    rows = []
    for loss in options.loss:
        count = max(100_000, int(AMOUNTS.get(loss, AMOUNTS[1.0]) * options.share))
        rates = {way: [] for way in WAYS}
        for number in range(options.rounds):
            for way in WAYS:
                rates[way].append(measure(way, options, loss, count))
                harness.progress("%g%% loss, round %d, %s: %.1f Mbit/s"
                                 % (loss, number + 1, way, rates[way][-1]))
        spreads = {way: harness.Spread(rates[way]) for way in WAYS}
        linux = spreads[WAYS[0]].median
        rows.append(["%g%%" % loss, "%.1f MB" % (count / 1e6)]
                    + [spreads[way].text(decimals=1) for way in WAYS]
                    + ["%.2f" % (spreads[way].median / linux) for way in WAYS[1:]])
    harness.table(["loss", "bytes", *WAYS, "ours to linux, share", "linux to ours, share"], rows)
    return 0


if __name__ == "__main__":
    harness.run(main)
