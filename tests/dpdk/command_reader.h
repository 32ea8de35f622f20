// Lines of standard input, for a loop that mustn't wait for them.
// Owned by: main, on the loop's thread.
// Holds:    lines come in order; the end of the input is the line "quit".
#pragma once

#include <string>
#include <vector>

namespace millrace::test {

class CommandReader {
public:
    // The complete lines that have come since; never waits.
    std::vector<std::string> take();

private:
    std::string partial_;  // a line's beginning
    bool ended_ = false;
};

}  // namespace millrace::test
