#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/intrusive.h"
#include "base/prng.h"

using namespace millrace;

namespace {

struct ListItem {
    int id = 0;
    ListLink<ListItem> link;
    ListLink<ListItem> other_link;
};
using List = IntrusiveList<ListItem, &ListItem::link>;
using OtherList = IntrusiveList<ListItem, &ListItem::other_link>;

std::vector<int> ids(const List& list) {
    std::vector<int> result;
    for (ListItem* item = list.first(); item != nullptr; item = List::next(*item)) {
        result.push_back(item->id);
    }
    return result;
}

}  // namespace

TEST_CASE("intrusive list: elements come out in the order they went in") {
    ListItem items[3] = {{1}, {2}, {3}};
    List list;
    CHECK(list.empty());
    CHECK(list.pop_front() == nullptr);
    for (ListItem& item : items) list.push_back(item);
    CHECK(ids(list) == std::vector{1, 2, 3});
    CHECK(list.pop_front()->id == 1);
    CHECK(list.pop_front()->id == 2);
    CHECK(list.pop_front()->id == 3);
    CHECK(list.empty());
}

TEST_CASE("intrusive list: an element leaves from any place and can come back") {
    ListItem items[3] = {{1}, {2}, {3}};
    for (ListItem& leaving : items) {
        List list;
        std::vector<int> rest;
        for (ListItem& item : items) {
            list.push_back(item);
            if (&item != &leaving) rest.push_back(item.id);
        }
        list.remove(leaving);
        CHECK(leaving.link.next == nullptr);
        CHECK(leaving.link.previous == nullptr);
        CHECK(ids(list) == rest);
        list.push_back(leaving);
        rest.push_back(leaving.id);
        CHECK(ids(list) == rest);
        while (list.pop_front() != nullptr) {}
    }
}

TEST_CASE("intrusive list: an element stands in two lists by two links") {
    ListItem item{1};
    List list;
    OtherList other;
    list.push_back(item);
    other.push_back(item);
    list.remove(item);
    CHECK(list.empty());
    CHECK(other.first() == &item);
}

TEST_CASE("intrusive list: it agrees with a vector over random operations") {
    std::vector<ListItem> items(20);
    for (int index = 0; index < 20; ++index) items[static_cast<size_t>(index)].id = index;
    std::vector<int> model;
    List list;
    Prng random(7);
    for (int step = 0; step < 5000; ++step) {
        ListItem& item = items[random.below(20)];
        const auto place = std::find(model.begin(), model.end(), item.id);
        if (place == model.end()) {
            list.push_back(item);
            model.push_back(item.id);
        } else {
            list.remove(item);
            model.erase(place);
        }
        REQUIRE(ids(list) == model);
    }
}
