#include "server/random_word.h"

#include <sys/random.h>

#include "runtime/clock.h"

namespace millrace {

uint64_t random_word() {
    uint64_t word = 0;
    if (::getrandom(&word, sizeof(word), 0) != sizeof(word)) {
        word = static_cast<uint64_t>(monotonic_now().nanoseconds);
    }
    return word;
}

}  // namespace millrace
