"""Shared subscriptions: MQTT 5.0, 4.8.2."""

import mqtt_wire as mqtt
from case import BrokerTest, millrace_only


class SharedSubscriptionTest(BrokerTest):
    def group(self, count, topic, group="g", version=5, qos=1):
        members = [self.client(version=version) for _ in range(count)]
        for wire in members:
            self.assertEqual(self.subscribe(wire, "$share/%s/%s" % (group, topic), qos=qos), [qos])
        return members

    def send(self, wire, topic, count, qos=1, start=0):
        for number in range(start, start + count):
            self.publish(wire, topic, b"%d" % number, qos)

    def test_each_message_goes_to_one_member(self):
        """[MQTT-4.8.2-4]..., 4.8.2: once a group, spread over its members"""
        members = self.group(4, self.topic())
        self.send(self.client(), self.topic(), 80)
        got = self.gather(members, 80)
        self.assertEqual(sorted(int(one.payload) for _, one in got), list(range(80)))
        share = [sum(index == number for index, _ in got) for number in range(4)]
        self.assertTrue(all(share), "every member has work: %s" % share)
        for wire in members:
            self.silence(wire)

    def test_qos_0_too(self):
        """4.8.2"""
        members = self.group(3, self.topic(), qos=0)
        self.send(self.client(), self.topic(), 30, qos=0)
        got = self.gather(members, 30)
        self.assertEqual(sorted(int(one.payload) for _, one in got), list(range(30)))

    def test_groups_are_independent_of_each_other(self):
        """4.8.2: each group gets its copy; so do ordinary subscribers"""
        first, second = self.group(2, self.topic(), "one"), self.group(2, self.topic(), "two")
        plain = self.client()
        self.subscribe(plain, self.topic(), qos=1)
        self.send(self.client(), self.topic(), 20)
        for wires in (first, second, [plain]):
            got = self.gather(wires, 20)
            self.assertEqual(sorted(int(one.payload) for _, one in got), list(range(20)))

    def test_one_client_with_both_kinds(self):
        """4.8.2: a shared and an ordinary subscription of one client are different ones"""
        wire, sender = self.client(), self.client()
        self.subscribe(wire, self.topic(), qos=1, props={"subscription_id": 1})
        self.subscribe(wire, "$share/g/" + self.topic(), qos=1, props={"subscription_id": 2})
        self.publish(sender, self.topic(), b"x", 1)
        found = []
        while len(found) < 2:
            found += self.message(wire).props["subscription_id"]
        self.assertEqual(sorted(found), [1, 2])

    def test_wildcards_in_a_shared_filter(self):
        """4.8.2"""
        members = self.group(2, self.topic("+/x/#"))
        sender = self.client()
        for number in range(10):
            self.publish(sender, self.topic("%d/x/y" % number), b"%d" % number, 1)
            self.publish(sender, self.topic("%d/z/y" % number), b"no", 1)
        got = self.gather(members, 10)
        self.assertEqual(sorted(int(one.payload) for _, one in got), list(range(10)))

    def test_different_filters_under_one_group_name(self):
        """4.8.2: the share name and the filter together name the group"""
        one, other, sender = self.client(), self.client(), self.client()
        self.subscribe(one, "$share/g/" + self.topic("a"), qos=1)
        self.subscribe(other, "$share/g/" + self.topic("+"), qos=1)
        self.publish(sender, self.topic("a"), b"x", 1)
        self.assertEqual(self.message(one).payload, b"x")
        self.assertEqual(self.message(other).payload, b"x")

    def test_a_member_that_unsubscribes_gets_nothing_more(self):
        """[MQTT-3.10.4-2]"""
        members = self.group(3, self.topic())
        self.assertEqual(self.unsubscribe(members[0], "$share/g/" + self.topic()), [0])
        self.send(self.client(), self.topic(), 20)
        got = self.gather(members[1:], 20)
        self.assertEqual(len(got), 20)
        self.silence(members[0])

    def test_a_member_that_leaves_loses_no_later_message(self):
        """4.8.2: messages go to the members that are there"""
        members = self.group(3, self.topic())
        self.leave(members[0])
        members[1].close()
        sender = self.client()
        self.barrier(members[2])
        self.send(sender, self.topic(), 1)  # may still be lost on the way to the closed one
        self.assertEqual(self.unsubscribe(sender, "$share/g/" + self.topic()), [0x11])
        self.send(sender, self.topic(), 20, start=100)
        got = {int(one.payload) for _, one in self.gather([members[2]], 20)}
        self.assertGreaterEqual(len(got & set(range(100, 120))), 19)

    def test_the_last_member_ends_the_group(self):
        """4.8.2"""
        members = self.group(1, self.topic())
        self.unsubscribe(members[0], "$share/g/" + self.topic())
        self.send(self.client(), self.topic(), 3)
        self.silence(members[0])
        again = self.group(1, self.topic())
        self.silence(again[0])

    @millrace_only("mosquitto sends them")
    def test_retained_messages_are_not_sent(self):
        """3.8.4: not to a shared subscription when it is made"""
        sender = self.client()
        self.publish(sender, self.topic(), b"kept", 1, retain=True)
        members = self.group(1, self.topic())
        self.silence(members[0])

    def test_the_members_qos_counts(self):
        """4.8.2: each member has its own maximum QoS"""
        low, high, sender = self.client(), self.client(), self.client()
        self.subscribe(low, "$share/g/" + self.topic(), qos=0)
        self.subscribe(high, "$share/g/" + self.topic(), qos=1)
        self.send(sender, self.topic(), 20)
        for index, got in self.gather([low, high], 20):
            self.assertEqual(got.qos, index)

    @millrace_only("mosquitto keeps them with the member")
    def test_a_member_that_dies_with_a_message_passes_it_on_or_keeps_it(self):
        """[MQTT-4.8.2-5]: QoS 1: another member may get it; it is never lost to a durable member"""
        name, sender = self.name(), self.client()
        first = self.durable(name)
        self.subscribe(first, "$share/g/" + self.topic(), qos=1)
        self.publish(sender, self.topic(), b"x", 1)
        self.assertEqual(self.message(first, acknowledge=False).payload, b"x")
        first.close()
        got = self.message(self.durable(name))
        self.assertEqual(got.payload, b"x")

    def test_an_offline_durable_group_keeps_messages(self):
        """4.8.2, 4.1: a group of one whose member is away still has a session"""
        name, sender = self.name(), self.client()
        first = self.durable(name)
        self.subscribe(first, "$share/g/" + self.topic(), qos=1)
        self.leave(first)
        self.send(sender, self.topic(), 5)
        self.assertEqual(self.payloads(self.durable(name), 5), [b"%d" % one for one in range(5)])

    def test_members_of_both_versions(self):
        """$share is 5.0; a server may know it in 3.1.1 too, and this one does"""
        members = self.group(1, self.topic(), version=5) + self.group(1, self.topic(), version=4)
        self.send(self.client(), self.topic(), 20)
        got = self.gather(members, 20)
        self.assertEqual(sorted(int(one.payload) for _, one in got), list(range(20)))
