#include "admin/listener.h"

namespace millrace {

Outcome<std::unique_ptr<AdminListener>> AdminListener::start(const AdminOptions&, AdminSubject&) {
    return fail(Errc::unsupported,
                "admin.listen: this millrace was built without libmicrohttpd and simdjson: "
                "install libmicrohttpd-dev and libsimdjson-dev and build again, or set it to []");
}

}  // namespace millrace
