"""4 KB messages over a link of 10 Gbit/s: is it full, and what does that cost?"""

import argparse
import json
import os
import re
import subprocess
import tempfile

import dpdk_harness
import generator
import harness
import report as reports
from contender import DPDK, MOSQUITTO, URING, Cell, Contender, has_dpdk, sample_of
from dpdk_harness import DpdkBroker
from harness import BROKER_CORE, GENERATOR_CORE, Failure, Usage
from shaped_wire import CLIENT_ADDRESS, GOODPUT_LIMIT_BIT_S, MTU, SERVER_ADDRESS, ShapedWire, \
    WiredBroker

QUESTION = ("4,096-byte messages to 1,000 subscribers over veth shaped to 10GbE's equivalent, MTU "
            "1500: bits of TCP payload a second (a message is 4,112 of them, in bytes). The limit "
            "after headers is %.2f Gbit/s. DPDK has no shaped device here: the generator paces its "
            "publishes to that limit over memif." % (GOODPUT_LIMIT_BIT_S / 1e9))
UNIT, SCALE, DECIMALS = "Gbit/s of TCP payload", 1e9, 3
FLOOR = "iperf3"
MAKES_ITS_OWN_WIRE = True
PAYLOAD_BYTES = 4096
FRAME_BYTES = 4112  # with MQTT's header and the topic
HTTP_PORT = 8080


def cells(options):
    receivers = 20 if options.smoke else 1000
    return [Cell("4,096 B to %d" % receivers, floor=FLOOR,
                 asked={URING: 0.99, DPDK: 0.99}, receivers=receivers)]


def contenders(options, cell):
    receivers = cell.parameters["receivers"]
    found = [Contender(FLOOR, lambda: iperf3(options)),
             Contender(URING, lambda: broker(options, "millrace", receivers))]
    if has_dpdk(options):
        found.append(Contender(DPDK, lambda: dpdk(options, receivers)))
    if harness.mosquitto_path():
        found.append(Contender(MOSQUITTO, lambda: broker(options, "mosquitto", receivers)))
    found.append(Contender("nginx", lambda: nginx(options, receivers)))
    return found


def in_bits(report):
    sample = sample_of(report, "deliveries_per_s")
    return {**sample, "value": sample["value"] * FRAME_BYTES * 8}


def fanout(options, receivers):
    return ["--publishers", 1, "--subscribers", receivers, "--payload", PAYLOAD_BYTES,
            "--duration", options.seconds, "--cpus", GENERATOR_CORE]


def broker(options, kind, receivers):
    arguments = ["--cpus", str(BROKER_CORE)] if kind == "millrace" else []
    with ShapedWire(options) as wire, WiredBroker(wire, kind, options, arguments) as running:
        report = generator.load(options, running, "fanout", [
            *fanout(options, receivers), "--window", 32])
        return {**in_bits(report), "retransmitted_segments": wire.retransmitted_segments()}


def dpdk(options, receivers):
    settings = argparse.Namespace(**{**vars(options), "mtu": MTU})
    rate = int(GOODPUT_LIMIT_BIT_S / 8 / FRAME_BYTES / receivers) + 1
    with DpdkBroker(settings, ["--cpus", str(BROKER_CORE), "--dpdk-idle", "spin"]) as running:
        return in_bits(dpdk_harness.load(settings, running, "fanout", [
            *fanout(options, receivers), "--rate", rate, "--dpdk-idle", "spin"]))


def iperf3(options):
    if harness.first_line_of(["iperf3", "--version"]) == "not found":
        raise Failure("iperf3 is not installed (Debian package iperf3)")
    with ShapedWire(options) as wire:
        receiver = subprocess.Popen(
            [*wire.within(wire.client), "taskset", "-c", str(GENERATOR_CORE), "iperf3", "-s",
             "-1", "-B", CLIENT_ADDRESS], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        try:
            told = send_by_iperf3(wire, options)
        finally:
            receiver.kill()
            receiver.wait()
    ends = told["end"]
    seconds, used = ends["sum_sent"]["seconds"], ends["cpu_utilization_percent"]
    return {"value": ends["sum_received"]["bits_per_second"],
            "retransmitted_segments": ends["sum_sent"]["retransmits"],
            "report": {"measured_s": seconds, "iperf3": ends,
                       **{"server_cpu_%s_s" % part: share / 100 * seconds for part, share in (
                           ("user", used["host_user"]), ("system", used["host_system"]))}}}


def send_by_iperf3(wire, options):
    command = [*wire.within(wire.server), "taskset", "-c", str(BROKER_CORE), "iperf3", "-c",
               CLIENT_ADDRESS, "-t", str(options.seconds), "-P", "8", "-J",
               "--connect-timeout", "2000"]
    for _ in range(20):  # the receiver may not listen yet
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=options.seconds + 30)
        told = json.loads(done.stdout or "{}")
        if "sum_received" in told.get("end", {}):
            return told
    raise Failure("iperf3: %s" % told.get("error", done.stderr))


NGINX_CONFIGURATION = """
worker_processes 1;
daemon off;
master_process off;
error_log {folder}/error.log;
pid {folder}/pid;
events {{ worker_connections 4096; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    open_file_cache max=16 inactive=60s;
    server {{ listen {address}:{port}; root {folder}; }}
}}
"""


def nginx(options, connections):
    """4 KB bodies, keep-alive: each client asks again when it has the last one."""
    program = "/usr/sbin/nginx"
    if not os.access(program, os.X_OK):
        raise Failure("nginx is not installed (Debian package nginx-light)")
    if harness.first_line_of(["wrk", "-v"]) == "not found":
        raise Failure("wrk is not installed (Debian package wrk)")
    with tempfile.TemporaryDirectory(prefix="millrace-nginx-") as folder, \
            ShapedWire(options) as wire:
        os.chmod(folder, 0o755)
        with open(os.path.join(folder, "body"), "wb") as body:
            body.write(bytes(PAYLOAD_BYTES))
        configuration = os.path.join(folder, "nginx.conf")
        with open(configuration, "w") as out:
            out.write(NGINX_CONFIGURATION.format(folder=folder, address=SERVER_ADDRESS,
                                                 port=HTTP_PORT))
        server = subprocess.Popen(
            [*wire.within(wire.server), "taskset", "-c", str(BROKER_CORE), program, "-c",
             configuration], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True)
        try:
            return ask_nginx(wire, server, options, connections)
        finally:
            server.terminate()
            server.communicate()


def ask_nginx(wire, server, options, connections):
    while not wire.can_connect(HTTP_PORT):
        if server.poll() is not None:
            raise Failure("nginx ended: %s" % server.stderr.read())
    before = Usage.of(server.pid)
    done = subprocess.run(
        [*wire.within(wire.client), "taskset", "-c", str(GENERATOR_CORE), "wrk", "-t", "1", "-c",
         str(connections), "-d", "%ds" % options.seconds,
         "http://%s:%d/body" % (SERVER_ADDRESS, HTTP_PORT)], capture_output=True, text=True,
        check=False, timeout=options.seconds + 60)
    used = Usage.of(server.pid).since(before)
    found = re.search(r"(\d+) requests in ([\d.]+)(m?s), ([\d.]+)([KMG]?)B read", done.stdout)
    if not found:
        raise Failure("wrk: %s%s" % (done.stdout, done.stderr))
    seconds = float(found.group(2)) * (0.001 if found.group(3) == "ms" else 1)
    read = float(found.group(4)) * 1024 ** " KMG".index(found.group(5) or " ")
    return {"value": read * 8 / seconds, "retransmitted_segments": wire.retransmitted_segments(),
            "report": {"measured_s": seconds, "wrk": done.stdout,
                       "server_cpu_user_s": used.user_s, "server_cpu_system_s": used.system_s,
                       "softirq_s": used.softirq_s}}


def remarks(result):
    lines = ["| contender | share of the limit | retransmitted segments a round |",
             "| --- | --- | --- |"]
    for cell in result["cells"]:
        for name, kept in cell["contenders"].items():
            if kept["samples"]:
                middle = reports.median_sample(kept)["value"]
                lines.append("| %s | %.1f %% | %s |" % (
                    name, 100 * middle / GOODPUT_LIMIT_BIT_S,
                    ", ".join(str(one.get("retransmitted_segments", "none counted"))
                              for one in kept["samples"])))
    return lines
