// Static probes for tracers from outside (USDT, sys/sdt.h): provider `millrace`. A probe that nobody
// attached to is one `nop`, and a note in the binary that says where its arguments are.
// Owned by: nobody. Thread: any.
// Holds:    arguments are what stands in registers or memory at that place anyway: no probe computes
//           or copies for a tracer that may not be there. A text is a pointer and its length, but for
//           a client id, whose length stands in the two bytes before it, the higher one first, and
//           for a reason, which is one of the program's words and ends with a zero.
// Not here: what the probes are and what they carry: scripts/tracing/README.md.
//
// Without sys/sdt.h (Debian package systemtap-sdt-dev), or with -Dprobes=disabled, nothing is left.
#pragma once

#if !defined(MR_WITHOUT_PROBES) && __has_include(<sys/sdt.h>)

#define SDT_USE_VARIADIC
#include <sys/sdt.h>
#define MR_PROBE(name, ...) STAP_PROBEV(millrace, name, __VA_ARGS__)

#else

namespace millrace::probes {
template <class... Arguments>
char not_evaluated(const Arguments&...);
}
#define MR_PROBE(name, ...) \
    static_cast<void>(sizeof(::millrace::probes::not_evaluated(__VA_ARGS__)))

#endif
