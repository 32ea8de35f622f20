"""Very many clients in one loop, and a drain of all of them: who was told what, and was anything lost.

Each client listens to its group's topic at QoS 1; some talk, too: to their own topic, on and on, and
now and then to a group. All of it is checked against what the broker promises of a drain:

- What a client was acknowledged, itself, before its turn came reaches it before its goodbye. So it
  has had every message to its own topic that it has a PUBACK for.
- A ping that is answered says that the turn hasn't come yet. So a client has had every message to
  its group that was acknowledged to somebody before the client sent that ping.
- Nothing is missing in between, and nothing comes twice: there's one talker to a group's topic at a
  time, whose messages are numbered.
"""

import errno
import select
import socket
import time

import mqtt_wire as mqtt

PINGREQ = mqtt.packet(mqtt.PINGREQ)


class Member(mqtt.Wire):
    """One client; it acknowledges what comes. `crowd` is what all share."""

    def __init__(self, crowd, number):
        self.version = 5 if number % 2 == 0 else 4
        self.crowd, self.number, self.buffer = crowd, number, b""
        self.group = number % crowd.group_count
        self.is_talker = number < crowd.talker_count
        self.own_sent = self.own_acked = self.own_received = 0
        self.group_received = 0
        self.group_promised = 0         # acknowledged to its talker before an answered ping
        self.ping_promise = None        # of the ping that is out
        self.news_out = None            # (group, number) of a message to a group
        self.subscribed, self.told, self.closed = False, None, False
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.sock.connect_ex(crowd.address) not in (0, errno.EINPROGRESS):
            raise OSError("no connection for member %d" % number)

    def say(self, data):
        try:
            self.sock.send(data)
        except (BrokenPipeError, ConnectionResetError):
            pass                        # told to go meanwhile; the end is read

    def begin(self):
        topics = [("group/%d" % self.group, mqtt.options(1))]
        if self.is_talker:
            topics.append(("own/%d" % self.number, mqtt.options(1)))
        self.say(mqtt.connect("m%d" % self.number, self.version)
                 + mqtt.subscribe(1, topics, self.version))

    # -- what it does -----------------------------------------------------------------------------

    def talk(self):
        if self.own_sent == self.own_acked:
            self.own_sent += 1
            self.say(mqtt.publish("own/%d" % self.number, b"%d" % self.own_sent, 1, 2,
                                  version=self.version))

    def tell(self, group):
        if self.news_out is None:
            self.news_out = (group, self.crowd.news_acked[group] + 1)
            self.say(mqtt.publish("group/%d" % group, b"%d" % self.news_out[1], 1, 3,
                                  version=self.version))
            return True
        return False

    def ping(self):
        if self.ping_promise is None:
            self.ping_promise = self.crowd.news_acked[self.group]
            self.say(PINGREQ)

    # -- what it gets -----------------------------------------------------------------------------

    def read(self):
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return
        except ConnectionResetError as error:
            raise AssertionError("member %d: %s" % (self.number, error))
        if not data:
            self.end()
            return
        self.buffer += data
        answers = b""
        while True:
            packet = self.take_packet()
            if packet is None:
                break
            answers += self.on_packet(packet)
        if answers:
            self.say(answers)

    def on_packet(self, packet):
        if self.told is not None:
            raise AssertionError("member %d: %r after its goodbye" % (self.number, packet))
        if packet.kind == mqtt.PUBLISH:
            return self.on_message(packet)
        if packet.kind == mqtt.PUBACK:
            if packet.packet_id == 2:
                self.own_acked += 1
            else:
                group, number = self.news_out
                self.crowd.on_news_acked(group, number)
                self.news_out = None
        elif packet.kind == mqtt.PINGRESP:
            self.group_promised, self.ping_promise = self.ping_promise, None
        elif packet.kind == mqtt.DISCONNECT:
            self.told = packet
        elif packet.kind == mqtt.SUBACK:
            self.subscribed = True
        elif packet.kind != mqtt.CONNACK or packet.reason != 0:
            raise AssertionError("member %d got %r" % (self.number, packet))
        return b""

    def on_message(self, packet):
        number = int(packet.payload)
        if packet.topic.startswith("own/"):
            if number != self.own_received + 1:
                raise AssertionError("member %d: own message %d after %d"
                                     % (self.number, number, self.own_received))
            self.own_received = number
        else:
            if number != self.group_received + 1:
                raise AssertionError("member %d: message %d of group %d after %d"
                                     % (self.number, number, self.group, self.group_received))
            self.group_received = number
        return mqtt.ack(mqtt.PUBACK, packet.packet_id, version=self.version)

    def end(self):
        self.closed = True
        self.crowd.on_end(self)
        self.sock.close()
        if self.own_received < self.own_acked:
            raise AssertionError("member %d had %d of its own messages, %d were acknowledged"
                                 % (self.number, self.own_received, self.own_acked))
        if self.group_received < self.group_promised:
            raise AssertionError("member %d had messages up to %d of group %d, %d was acknowledged"
                                 % (self.number, self.group_received, self.group,
                                    self.group_promised))


class Crowd:
    """`count` members at `address`; every method returns when what it says has happened."""

    def __init__(self, address, count, talker_count=100, group_members=100):
        self.address, self.talker_count = address, talker_count
        self.group_count = max(1, count // group_members)
        self.news_acked = [0] * self.group_count
        self.news_teller = [None] * self.group_count    # whose message is out
        self.news_total = 0
        self.poller = select.epoll()
        self.members, self.by_file, self.first_end = [], {}, None
        self.connect(count)

    def connect(self, count, at_once=500):
        while len(self.members) < count:
            batch = [Member(self, number) for number in
                     range(len(self.members), min(count, len(self.members) + at_once))]
            self.members += batch
            for member in batch:
                self.by_file[member.sock.fileno()] = member
                self.poller.register(member.sock.fileno(), select.EPOLLOUT)
            begun, deadline = 0, time.monotonic() + 60
            while not all(member.subscribed for member in batch):
                if time.monotonic() > deadline:
                    raise AssertionError("the crowd doesn't get in")
                for file, events in self.poller.poll(1.0):
                    member = self.by_file[file]
                    if events & select.EPOLLOUT:
                        self.poller.modify(file, select.EPOLLIN)
                        member.begin()
                        begun += 1
                    else:
                        member.read()

    def on_news_acked(self, group, number):
        self.news_acked[group] = number
        self.news_teller[group] = None
        self.news_total += 1

    def on_end(self, member):
        del self.by_file[member.sock.fileno()]
        self.poller.unregister(member.sock.fileno())
        self.first_end = self.first_end or time.monotonic()
        self.last_end = time.monotonic()
        # A message without its PUBACK may or may not be out: nobody speaks to that group any more.

    def run(self, until, timeout, pings_a_pass=200, news_a_pass=1, pass_s=0.02):
        """The members talk and listen until until() is true."""
        deadline, next_ping, next_group, next_talk = time.monotonic() + timeout, 0, 0, 0.0
        while not until():
            if time.monotonic() > deadline:
                raise AssertionError("%d members are left" % len(self.by_file))
            for file, _ in self.poller.poll(pass_s, len(self.members) + 1):
                self.by_file[file].read()
            if time.monotonic() < next_talk:
                continue
            next_talk = time.monotonic() + pass_s
            talkers = [one for one in self.members[:self.talker_count] if not one.closed]
            for member in talkers:
                member.talk()
            for _ in range(news_a_pass if talkers else 0):
                group, next_group = next_group, (next_group + 1) % self.group_count
                teller = talkers[next_group % len(talkers)]
                if self.news_teller[group] is None and teller.tell(group):
                    self.news_teller[group] = teller
            for _ in range(min(pings_a_pass, len(self.by_file))):
                member = self.members[next_ping]
                next_ping = (next_ping + 1) % len(self.members)
                if not member.closed:
                    member.ping()

    def own_acked(self):
        return sum(member.own_acked for member in self.members)

    def close(self):
        for member in self.members:
            member.sock.close()
        self.poller.close()
