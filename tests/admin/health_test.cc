// Who is asked how often, and how long anybody waits.
#include "admin/health.h"

#include <doctest/doctest.h>

#include "admin_subject.h"

using namespace millrace;
using millrace::test::FakeSubject;

namespace {

// Time that passes by sleeping alone.
Instant health_now = Instant{} + Duration::s(100);
// Called with each sleep, when it's set.
void (*health_sleeps)() = nullptr;
FakeSubject* health_subject = nullptr;

const HealthCheck::Clock health_clock{[] { return health_now; },
                                      [](Duration span) {
                                          health_now = health_now + span;
                                          if (health_sleeps != nullptr) health_sleeps();
                                      }};

}  // namespace

TEST_CASE("health: shards that answer make no wait") {
    FakeSubject subject;
    HealthCheck check(subject, health_clock);
    const Instant before = health_now;
    CHECK(check.look().silent.empty());
    CHECK(health_now == before);
    CHECK(subject.questions == 1);
}

TEST_CASE("health: a shard that answers a little later is waited for") {
    FakeSubject subject;
    subject.answers[1] = 0;
    health_subject = &subject;
    health_sleeps = [] { health_subject->answers[1] = 1; };
    HealthCheck check(subject, health_clock);
    const HealthCheck::Verdict verdict = check.look();
    health_sleeps = nullptr;
    CHECK(verdict.silent.empty());
    CHECK(verdict.since_question > Duration{});
    CHECK(verdict.since_question < Duration::ms(1));
}

TEST_CASE("health: a silent shard is waited for once, and named at once from then on") {
    FakeSubject subject;
    subject.answers = {{1, 0}, {7, 0}};
    HealthCheck check(subject, health_clock);
    const Instant before = health_now;
    const HealthCheck::Verdict first = check.look();
    CHECK(first.silent == std::vector<uint32_t>{1, 7});
    CHECK(first.since_question >= HealthCheck::answer_time);
    CHECK(health_now - before < HealthCheck::answer_time * 2);
    const Instant later = health_now;
    const HealthCheck::Verdict second = check.look();
    CHECK(second.silent == std::vector<uint32_t>{1, 7});
    CHECK(health_now == later);
    CHECK(subject.questions == 1);  // it stands
}

TEST_CASE("health: shards are asked ten times a second at most, and anew after that") {
    FakeSubject subject;
    HealthCheck check(subject, health_clock);
    for (int count = 0; count < 50; ++count) CHECK(check.look().silent.empty());
    CHECK(subject.questions == 1);
    health_now = health_now + HealthCheck::between_questions;
    subject.answers[0] = 1;  // it hangs from now on
    CHECK(check.look().silent == std::vector<uint32_t>{0});
    CHECK(subject.questions == 2);
}
