#include <doctest/doctest.h>

#include "runtime/ledger.h"

using namespace millrace;

TEST_CASE("ledger: a name has one line, which stays where it is") {
    Ledger ledger;
    LedgerLine& first = ledger.line("first");
    for (int index = 0; index < 1000; ++index) ledger.line("line " + std::to_string(index));
    CHECK(&ledger.line("first") == &first);
    CHECK(ledger.lines().size() == 1001);
}

TEST_CASE("ledger: counters add, subtract and are set") {
    Counter counter;
    counter.add();
    counter.add(10);
    counter.subtract(4);
    CHECK(counter.read() == 7);
    counter.set(100);
    CHECK(counter.read() == 100);
}
