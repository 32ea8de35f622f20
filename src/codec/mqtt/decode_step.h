// How the decoders are shaped: a step fills a value in place and answers success or why not.
// Owned by: nothing is kept. Thread: any.
#pragma once

#include <utility>

#include "codec/mqtt/decode.h"

namespace millrace::mqtt {

// Runs `parse(T&)`. The value is built where the caller wants it, so that it's never copied.
template <class T, class Parse>
inline Decoded<T> decoded(Parse&& parse) {
    Decoded<T> result;
    const Reason reason = parse(*result);
    if (reason != Reason::success) result = tl::unexpected<Reason>(reason);
    return result;
}

}  // namespace millrace::mqtt
