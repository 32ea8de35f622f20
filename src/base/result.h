// Results of calls that can fail: Result<T> on hot paths, Outcome<T> where a person reads the error.
// Owned by: values. Thread: any.
#pragma once

#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "millrace/error.h"

namespace millrace {

template <class T>
using Result = tl::expected<T, Errc>;

template <class T>
using Outcome = tl::expected<T, Error>;

inline tl::unexpected<Errc> fail(Errc code) { return tl::unexpected<Errc>(code); }

inline tl::unexpected<Error> fail(Errc code, std::string message) {
    return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace millrace
