#include "broker/drain_marks.h"

#include <doctest/doctest.h>

#include <deque>
#include <vector>

#include "base/prng.h"

using namespace millrace;
using Stage = DrainMarks::Stage;

namespace {

// Shards that pass marks on as broker_drain.cc does, over queues that are first in, first out. Each
// message stands in them too, as the ways that it has left to go.
class MarkMesh {
public:
    MarkMesh(uint32_t shard_count, uint64_t seed)
        : random_(seed), count_(shard_count), queues_(shard_count * shard_count) {
        for (uint32_t shard = 0; shard < shard_count; ++shard) marks_.emplace_back(shard_count);
    }

    void send(uint32_t origin) {
        marks_[origin].send();
        post_all(origin, Stage::asked, origin);
    }
    // A message that goes from the first shard over all the others to the last.
    void publish(std::vector<uint32_t> way) {
        const uint32_t from = way.front();
        way.erase(way.begin());
        ++on_the_way_;
        hand_on(from, std::move(way));
    }
    // One mail of a drawn pair of shards. False when there is none anywhere.
    bool step() {
        const uint32_t first = random_.below(static_cast<uint32_t>(queues_.size()));
        for (uint32_t index = 0; index < queues_.size(); ++index) {
            const uint32_t place = (first + index) % static_cast<uint32_t>(queues_.size());
            if (queues_[place].empty()) continue;
            const Mail mail = std::move(queues_[place].front());
            queues_[place].pop_front();
            take(place / count_, place % count_, mail);
            return true;
        }
        return false;
    }
    bool is_out(uint32_t origin) const { return marks_[origin].is_out(); }
    uint32_t on_the_way() const { return on_the_way_; }
    uint32_t below(uint32_t bound) { return random_.below(bound); }

private:
    struct Mail {
        std::vector<uint32_t> way;   // of a message
        bool is_mark;
        Stage stage;
        uint32_t origin;
    };
    void post(uint32_t from, uint32_t to, const Mail& mail) {
        if (from == to) take(from, to, mail);
        else queues_[from * count_ + to].push_back(mail);
    }
    void post_all(uint32_t from, Stage stage, uint32_t origin) {
        for (uint32_t to = 0; to < count_; ++to) post(from, to, {{}, true, stage, origin});
    }
    void hand_on(uint32_t from, std::vector<uint32_t> way) {
        if (way.empty()) {
            --on_the_way_;
            return;
        }
        const uint32_t to = way.front();
        way.erase(way.begin());
        post(from, to, {std::move(way), false, Stage::asked, 0});
    }
    void take(uint32_t from, uint32_t self, const Mail& mail) {
        if (!mail.is_mark) return hand_on(self, mail.way);
        DrainMarks& marks = marks_[self];
        switch (mail.stage) {
        case Stage::asked: return post_all(self, Stage::published, mail.origin);
        case Stage::published:
            if (marks.on_published(mail.origin, from)) post_all(self, Stage::routed, mail.origin);
            return;
        case Stage::routed:
            if (marks.on_routed(mail.origin, from)) {
                post(self, mail.origin, {{}, true, Stage::delivered, mail.origin});
            }
            return;
        case Stage::delivered: marks.on_delivered(from); return;
        }
    }

    Prng random_;
    uint32_t count_;
    uint32_t on_the_way_ = 0;
    std::deque<DrainMarks> marks_;
    std::vector<std::deque<Mail>> queues_;
};

}  // namespace

TEST_CASE("drain marks: on a lone shard a mark is back at once") {
    MarkMesh mesh(1, 1);
    mesh.send(0);
    CHECK_FALSE(mesh.is_out(0));
}

TEST_CASE("drain marks: every shard is heard before a mark is passed on, and then it may come again") {
    DrainMarks marks(3);
    for (uint32_t time = 0; time < 2; ++time) {
        CHECK_FALSE(marks.on_published(1, 0));
        CHECK_FALSE(marks.on_published(1, 2));
        CHECK_FALSE(marks.on_published(2, 1));   // another's
        CHECK(marks.on_published(1, 1));
        CHECK_FALSE(marks.on_published(2, 0));
        CHECK(marks.on_published(2, 2));
    }
}

TEST_CASE("drain marks: with 64 shards too") {
    DrainMarks marks(64);
    for (uint32_t from = 0; from < 63; ++from) CHECK_FALSE(marks.on_routed(9, from));
    CHECK(marks.on_routed(9, 63));
}

TEST_CASE("drain marks: what was published before a mark has arrived when it's back") {
    for (uint64_t seed = 1; seed <= 300; ++seed) {
        CAPTURE(seed);
        const uint32_t count = 2 + static_cast<uint32_t>(seed % 4);
        MarkMesh mesh(count, seed);
        for (uint32_t round = 0; round < 5; ++round) {
            const uint32_t receiver = mesh.below(count);
            // Publisher's shard, home, receivers' shard, and one that it's handed on to.
            for (uint32_t message = 0; message < 10; ++message) {
                mesh.publish({mesh.below(count), mesh.below(count), mesh.below(count), receiver});
            }
            for (uint32_t steps = mesh.below(20); steps > 0; --steps) mesh.step();
            for (uint32_t origin = 0; origin < count; ++origin) mesh.send(origin);
            while (mesh.is_out(receiver)) REQUIRE(mesh.step());
            REQUIRE(mesh.on_the_way() == 0);
            for (uint32_t origin = 0; origin < count; ++origin) {
                while (mesh.is_out(origin)) REQUIRE(mesh.step());
            }
        }
    }
}
