// A directory of the test's own, gone with it.
// Owned by: the test. Thread: one.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include <stdlib.h>

#include <doctest/doctest.h>

namespace millrace::test {

class OwnFolder {
public:
    OwnFolder() {
        char name[] = "/tmp/millrace_test_XXXXXX";
        REQUIRE(::mkdtemp(name) != nullptr);
        path_ = name;
    }
    ~OwnFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    OwnFolder(const OwnFolder&) = delete;
    OwnFolder& operator=(const OwnFolder&) = delete;

    const std::string& path() const { return path_; }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path_ + "/" + name, std::ios::binary) << text;
    }
    bool has(const std::string& name) const {
        return std::filesystem::exists(std::filesystem::symlink_status(path_ + "/" + name));
    }

private:
    std::string path_;
};

}  // namespace millrace::test
