// Where newcomers are welcome.
// Owned by: a stack. There are a few, so a look at each is the fastest search.
#pragma once

#include <cstdint>
#include <vector>

#include "wire/address.h"

namespace millrace {

class Listeners {
public:
    // An unspecified address stands for all of its family.
    struct Place {
        IpAddress address;
        uint16_t port = 0;

        bool takes(const IpAddress& local, uint16_t local_port) const {
            if (port != local_port) return false;
            if (address == local) return true;
            return address.is_unspecified() && address.is_ipv4() == local.is_ipv4();
        }
    };

    bool takes(const IpAddress& local, uint16_t port) const {
        for (const Place& place : places_) {
            if (place.takes(local, port)) return true;
        }
        return false;
    }
    // Whether this very place is there already.
    bool has(const Place& wanted) const {
        for (const Place& place : places_) {
            if (place.address == wanted.address && place.port == wanted.port) return true;
        }
        return false;
    }
    void add(const Place& place) { places_.push_back(place); }
    void clear() { places_.clear(); }
    const std::vector<Place>& places() const { return places_; }

private:
    std::vector<Place> places_;
};

}  // namespace millrace
