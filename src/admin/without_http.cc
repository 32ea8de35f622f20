#include "admin/listener.h"

namespace millrace {

Outcome<std::unique_ptr<AdminListener>> AdminListener::start(const AdminOptions&, AdminSubject&) {
    return fail(Errc::unsupported,
                "admin.listen: this millrace was built without libmicrohttpd: install "
                "libmicrohttpd-dev and build again, or set it to []");
}

}  // namespace millrace
