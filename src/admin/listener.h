// The HTTP listener for people and their tools, on a thread of its own.
// Owned by: the server, for less time than the subject.
// Holds:    a connection carries one request and lasts `timeout` at most, whatever the peer does;
//           there are `connections_max` at most, the others wait in the kernel's backlog. So what
//           a hostile peer can take is bounded: that many descriptors, 16 KiB for each and a page;
//           who may ask can take a body of 1 MiB, too.
//           No shard waits for it.
// Not here: what is answered (requests.h). A build without libmicrohttpd has without_http.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "admin/subject.h"
#include "base/result.h"
#include "millrace/config.h"

namespace millrace {

class AdminListener {
public:
    // Binds every address and starts the thread. The message names the key.
    static Outcome<std::unique_ptr<AdminListener>> start(const AdminOptions& options,
                                                         AdminSubject& subject);
    // Ends the thread, and every connection with it.
    virtual ~AdminListener() = default;

    // Those that were bound, in the order of options.listen.
    virtual const std::vector<uint16_t>& ports() const = 0;
};

}  // namespace millrace
