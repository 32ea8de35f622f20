#include "admin/profiles/views.h"

#include <doctest/doctest.h>

#include "sample_profile.h"

using namespace millrace;

TEST_CASE("profile views: a function's own time, and the time that it and its callees took") {
    const std::vector<FunctionTime> functions = functions_of(sample_profile());
    REQUIRE(functions.size() == 3);
    CHECK(functions[0].name == "work");
    CHECK(functions[0].self == 9);
    CHECK(functions[0].total == 9);  // it calls itself, which counts once
    CHECK(functions[1].name == "idle");
    CHECK(functions[1].self == 1);
    CHECK(functions[1].total == 1);
    CHECK(functions[2].name == "main");
    CHECK(functions[2].self == 0);
    CHECK(functions[2].total == 10);
}

TEST_CASE("profile views: functions of one name are one") {
    Profile profile = sample_profile();
    profile.functions = {"main", "same", "same"};
    const std::vector<FunctionTime> functions = functions_of(profile);
    REQUIRE(functions.size() == 2);
    CHECK(functions[0].name == "same");
    CHECK(functions[0].self == 10);
}

TEST_CASE("profile views: the tree has its calls from the outside in, most time first") {
    CHECK(flame_json(sample_profile()) ==
          R"({"name":"all","value":10,"children":[{"name":"main","value":10,"children":[)"
          R"({"name":"work","value":9,"children":[)"
          R"({"name":"work","value":6,"children":[]}]},)"
          R"({"name":"idle","value":1,"children":[]}]}]})");
    CHECK(flame_json(Profile{}) == R"({"name":"all","value":0,"children":[]})");
}

TEST_CASE("profile views: a branch too thin to be drawn is left out of the tree") {
    Profile profile = sample_profile();
    profile.samples = {{9'990, {1, 0}}, {5, {2, 0}}, {4, {3, 0}}};
    const std::string tree = flame_json(profile);
    CHECK(tree.find(R"("name":"main","value":9999)") != tree.npos);
    CHECK(tree.find(R"("name":"work","value":9995)") != tree.npos);
    CHECK(tree.find("idle") != tree.npos);  // 4 of 9999 are a branch
    profile.samples[0].count *= 2;
    CHECK(flame_json(profile).find("idle") == tree.npos);
}

TEST_CASE("profile views: a deep stack is no deep recursion") {
    Profile profile = sample_profile();
    profile.samples = {{1, std::vector<uint32_t>(1'000, 1)}};
    const std::string tree = flame_json(profile);
    CHECK(std::count(tree.begin(), tree.end(), '{') == 1'001);
    CHECK(std::count(tree.begin(), tree.end(), '}') == 1'001);
}

TEST_CASE("profile views: growth is told by shares of the samples, largest first") {
    Profile later = sample_profile();
    later.samples = {{10, {1, 0}}, {30, {3, 0}}};
    const std::vector<FunctionGrowth> growth = growth_between(sample_profile(), later);
    REQUIRE(growth.size() == 2);  // main itself takes no time
    CHECK(growth[0].name == "idle");
    CHECK(growth[0].self_share_from == doctest::Approx(0.1));
    CHECK(growth[0].self_share_to == doctest::Approx(0.75));
    CHECK(growth[0].change() == doctest::Approx(0.65));
    CHECK(growth[1].name == "work");
    CHECK(growth[1].change() == doctest::Approx(-0.65));
}

TEST_CASE("profile views: a function that is gone, or new, has no share there") {
    const std::vector<FunctionGrowth> gone = growth_between(sample_profile(), Profile{});
    REQUIRE(gone.size() == 2);
    CHECK(gone.back().name == "work");
    CHECK(gone.back().self_share_to == 0);
    const std::vector<FunctionGrowth> fresh = growth_between(Profile{}, sample_profile());
    REQUIRE(fresh.size() == 2);
    CHECK(fresh.front().name == "work");
    CHECK(fresh.front().change() == doctest::Approx(0.9));
}
