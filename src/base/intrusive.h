// A doubly linked list whose links live inside the elements: no allocation, O(1) removal.
// Owned by: the list borrows its elements; an element stands in one list a link at a time.
// Holds:    a link is null outside a list, so that membership can be asked of the element.
#pragma once

#include <cstddef>

#include "base/assert.h"

namespace millrace {

template <class T>
struct ListLink {
    T* next = nullptr;
    T* previous = nullptr;
};

template <class T, ListLink<T> T::* link>
class IntrusiveList {
public:
    bool empty() const { return first_ == nullptr; }
    T* first() const { return first_; }
    static T* next(const T& element) { return (element.*link).next; }

    void push_back(T& element) {
        ListLink<T>& own = element.*link;
        MR_ASSERT(own.next == nullptr && own.previous == nullptr && first_ != &element);
        own.previous = last_;
        if (last_ != nullptr) (last_->*link).next = &element;
        else first_ = &element;
        last_ = &element;
    }
    void remove(T& element) {
        ListLink<T>& own = element.*link;
        if (own.previous != nullptr) (own.previous->*link).next = own.next;
        else first_ = own.next;
        if (own.next != nullptr) (own.next->*link).previous = own.previous;
        else last_ = own.previous;
        own = {};
    }
    T* pop_front() {
        T* element = first_;
        if (element != nullptr) remove(*element);
        return element;
    }

private:
    T* first_ = nullptr;
    T* last_ = nullptr;
};

}  // namespace millrace
