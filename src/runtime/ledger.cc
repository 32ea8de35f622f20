#include "runtime/ledger.h"

namespace millrace {

LedgerLine& Ledger::line(std::string_view name) {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (LedgerLine& line : lines_) {
        if (line.name == name) return line;
    }
    LedgerLine& line = lines_.emplace_back();
    line.name = name;
    return line;
}

}  // namespace millrace
