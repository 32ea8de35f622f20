"""Client programs that others wrote: mosquitto_pub, mosquitto_sub and Eclipse Paho."""

import queue
import shutil
import subprocess
import threading
import unittest

import mqtt_wire as mqtt
from case import BrokerTest, both_versions

try:
    import paho.mqtt.client as paho
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
    from paho.mqtt.subscribeoptions import SubscribeOptions
except ImportError:
    paho = None

TOOLS = shutil.which("mosquitto_pub") and shutil.which("mosquitto_sub")


@unittest.skipUnless(TOOLS, "mosquitto_pub and mosquitto_sub are not installed")
class MosquittoClientsTest(BrokerTest):
    def sub(self, *arguments):
        """mosquitto_sub, once it has subscribed. Its output lines are read by read_lines()."""
        process = subprocess.Popen(["stdbuf", "-oL", "mosquitto_sub", "-d", "-h", self.broker.host,
                                    "-p", str(self.broker.port), *arguments],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.addCleanup(self.end, process)
        watchdog = threading.Timer(20, process.kill)
        watchdog.start()
        self.addCleanup(watchdog.cancel)
        for line in process.stdout:
            if line.startswith("Subscribed"):
                return process
        self.fail("mosquitto_sub did not subscribe")

    @staticmethod
    def end(process):
        process.kill()
        process.communicate()

    def pub(self, *arguments, **more):
        done = subprocess.run(["mosquitto_pub", "-h", self.broker.host, "-p",
                               str(self.broker.port), *arguments],
                              capture_output=True, text=True, timeout=30, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    @staticmethod
    def read_lines(process):
        output, _ = process.communicate(timeout=30)
        return [line for line in output.splitlines() if not line.startswith("Client ")]

    @both_versions
    def test_round_trips(self, version):
        """4.3"""
        protocol = ["-V", "mqttv311" if version == 4 else "mqttv5"]
        for qos in "012":
            topic = self.topic("%d/%s" % (version, qos))
            process = self.sub(*protocol, "-q", qos, "-t", topic, "-C", "3", "-F", "%t %q %p")
            for number in range(3):
                self.pub(*protocol, "-q", qos, "-t", topic, "-m", "message %d" % number)
            self.assertEqual(self.read_lines(process),
                             ["%s %s message %d" % (topic, qos, number) for number in range(3)])

    def test_lines_from_standard_input(self):
        """4.6: in order"""
        process = self.sub("-V", "mqttv5", "-q", "1", "-t", self.topic("#"), "-C", "500",
                           "-F", "%p")
        self.pub("-V", "mqttv5", "-q", "1", "-t", self.topic("x"), "-l",
                 input="".join("%d\n" % number for number in range(500)))
        self.assertEqual(self.read_lines(process), [str(number) for number in range(500)])

    def test_properties_and_retain(self):
        """3.3.2.3"""
        self.pub("-V", "mqttv5", "-t", self.topic(), "-r", "-q", "1", "-m", "kept",
                 "-D", "publish", "content-type", "text/plain",
                 "-D", "publish", "user-property", "a", "1")
        done = subprocess.run(["mosquitto_sub", "-h", self.broker.host, "-p",
                               str(self.broker.port), "-V", "mqttv5", "-t",
                               self.topic(), "-C", "1", "-W", "20", "-F", "%r %C %P %p"],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stdout, "1 text/plain a:1 kept\n")

    def test_a_large_file(self):
        """1.5.5"""
        wire = self.client()
        self.subscribe(wire, self.topic(), qos=1)
        self.pub("-t", self.topic(), "-q", "1", "-s", input="0123456789" * 50_000)
        self.assertEqual(self.message(wire).payload, b"0123456789" * 50_000)

    def test_a_will(self):
        """[MQTT-3.1.2-8]"""
        wire = self.client()
        self.subscribe(wire, self.topic("will"), qos=1)
        process = self.sub("-t", self.topic(), "--will-topic", self.topic("will"),
                           "--will-payload", "gone", "--will-qos", "1")
        process.kill()
        self.assertEqual(self.message(wire).payload, b"gone")


@unittest.skipIf(paho is None, "python3-paho-mqtt is not installed")
class PahoTest(BrokerTest):
    """Paho keeps its own state and threads, so this shows what users of a library see."""

    def paho(self, version, client_id=None, clean=True, expiry=None, **callbacks):
        client_id = client_id or self.name("paho")
        if version == 5:
            client = paho.Client(client_id, protocol=paho.MQTTv5)
        else:
            client = paho.Client(client_id, clean_session=clean, protocol=paho.MQTTv311)
        inbox = queue.Queue()
        connected = threading.Event()
        client.on_message = lambda *args: inbox.put(args[2])
        client.on_connect = lambda *args: connected.set()
        subscribed = queue.Queue()
        client.on_subscribe = lambda *args: subscribed.put(args[3])
        more = {}
        if version == 5:
            props = Properties(PacketTypes.CONNECT)
            if expiry is not None:
                props.SessionExpiryInterval = expiry
            more = {"clean_start": clean, "properties": props}
        client.connect(self.broker.host, self.broker.port, keepalive=30, **more)
        client.loop_start()
        self.addCleanup(self.end, client)
        self.assertTrue(connected.wait(10), "no CONNACK for paho")
        client.inbox, client.subscribed = inbox, subscribed
        return client

    @staticmethod
    def end(client):
        client.disconnect()
        client.loop_stop()

    def subscribed_to(self, client, topic_filter, qos):
        client.subscribe(topic_filter, qos)
        return client.subscribed.get(timeout=10)

    @both_versions
    def test_every_qos(self, version):
        """4.3"""
        receiver, sender = self.paho(version), self.paho(version)
        topic = self.topic(str(version))
        self.subscribed_to(receiver, topic + "/#", 2)
        for number in range(90):
            info = sender.publish("%s/%d" % (topic, number % 3), b"%d" % number, number % 3)
            if number % 10 == 9:
                info.wait_for_publish(10)
        got = [receiver.inbox.get(timeout=10) for _ in range(90)]
        for qos in range(3):
            self.assertEqual([int(one.payload) for one in got if one.qos == qos],
                             list(range(qos, 90, 3)))

    @both_versions
    def test_threads_of_publishers(self, version):
        """4.6: four senders at full speed, none of their messages lost"""
        receiver = self.paho(version)
        senders = [self.paho(4 + number % 2) for number in range(4)]
        topic = self.topic(str(version))
        self.subscribed_to(receiver, topic + "/+", 1)

        def run(index):
            for number in range(200):
                senders[index].publish("%s/%d" % (topic, index), b"%d" % number, 1)

        threads = [threading.Thread(target=run, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        seen = {}
        for _ in range(800):
            one = receiver.inbox.get(timeout=20)
            seen.setdefault(one.topic[-1], []).append(int(one.payload))
        for thread in threads:
            thread.join()
        self.assertEqual(seen, {str(index): list(range(200)) for index in range(4)})

    @both_versions
    def test_a_session_is_resumed(self, version):
        """4.1"""
        name, topic = self.name("paho"), self.topic(str(version))
        first = self.paho(version, name, clean=False, expiry=300)
        self.subscribed_to(first, topic, 2)
        self.end(first)
        sender = self.client()
        for number in range(20):
            self.publish(sender, topic, b"%d" % number, 2)
        second = self.paho(version, name, clean=False, expiry=300)
        self.assertEqual([int(second.inbox.get(timeout=10).payload) for _ in range(20)],
                         list(range(20)))

    def test_version_5_features(self):
        """3.3.2.3, 3.8.3.1"""
        receiver, sender = self.paho(5), self.paho(5)
        options = SubscribeOptions(qos=1, noLocal=True, retainAsPublished=True)
        props = Properties(PacketTypes.SUBSCRIBE)
        props.SubscriptionIdentifier = 321
        receiver.subscribe(self.topic(), options=options, properties=props)
        receiver.subscribed.get(timeout=10)
        sent = Properties(PacketTypes.PUBLISH)
        sent.ContentType, sent.CorrelationData = "a/b", b"\x00\x01"
        sent.ResponseTopic, sent.UserProperty = "back", [("a", "1"), ("a", "0")]
        sender.publish(self.topic(), b"x", 1, retain=True, properties=sent)
        got = receiver.inbox.get(timeout=10)
        self.assertTrue(got.retain)
        self.assertEqual(got.properties.ContentType, "a/b")
        self.assertEqual(got.properties.CorrelationData, b"\x00\x01")
        self.assertEqual(got.properties.UserProperty, [("a", "1"), ("a", "0")])
        self.assertEqual(got.properties.SubscriptionIdentifier, [321])

    def test_a_library_reconnects_by_itself(self):
        """[MQTT-3.1.4-3] thrown out by a takeover, paho comes back"""
        name = self.name("paho")
        client = self.paho(5, name, clean=False, expiry=60)
        back = threading.Event()
        client.on_connect = lambda *args: back.set()
        intruder = self.durable(name)
        self.assertTrue(back.wait(15))
        self.expect_error(intruder, 0x8e)
        self.assertIsInstance(intruder, mqtt.Wire)
